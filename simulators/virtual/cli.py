"""`cityneuron node virtual`: a node without a board, to try everything on that can be tried on one."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from edge.broker import BrokerAddress
from edge.field.image import Layout, build_image, read_image, write_file
from edge.model.errors import ConfigError
from edge.model.kinds import KINDS
from edge.model.node import Node, node_id
from simulators.registration import Running, register, running_in
from simulators.virtual.node import VirtualNode
from simulators.virtual.timekeeper import HOST, timekeeper
from simulators.virtual.wiring import SAMPLES, wire

_FLASH_BYTES = 1 << 20
_FETCH_WITHIN_S = 300
_FIRST_CLOCK_PORT, _CLOCK_PORTS = 20_000, 10_000
_console = Console(highlight=False)


def virtual(
    kind: Annotated[str, typer.Option("--kind", help=f"One of {', '.join(SAMPLES)}.")] = "water_level",
    name: Annotated[str | None, typer.Option("--id", help="Its node id; else virtual-KIND.")] = None,
    bare: Annotated[
        bool, typer.Option("--bare", help="Without settings: a board to be provisioned (`node provision`).")
    ] = False,
    port: Annotated[
        Path | None, typer.Option("--port", help="A path to make for its USB port, for example /tmp/node.")
    ] = None,
    period_s: Annotated[float, typer.Option("--period", help="Seconds between readings.")] = 10.0,
    speed: Annotated[float, typer.Option("--speed", help="How much shorter deep sleeps last.")] = 1.0,
    broker: Annotated[
        str | None, typer.Option("--broker", help="mqtt://host:port; else the running city's broker.")
    ] = None,
    cloud: Annotated[
        str | None, typer.Option("--cloud", help="http://host:port; else the running city's.")
    ] = None,
    data: Annotated[
        Path, typer.Option("--data", envvar="CITYNEURON_DATA", help="The data folder of a running city.")
    ] = Path("city-data"),
    again: Annotated[bool, typer.Option("--again", help="Begin with an empty flash.")] = False,
) -> None:
    """Run a node without a board: real MicroPython, a flash kept in the data folder, simulated sensors."""
    if kind not in SAMPLES:
        raise ConfigError(f"no sensors to simulate for the kind {kind!r}", remedy=f"use {', '.join(SAMPLES)}")
    identity = node_id(name or f"virtual-{kind.replace('_', '-')}")
    image = data / "virtual" / f"{identity}.img"
    command = find_micropython()
    place = running_in(data)
    settings = None if bare else _settings(identity, kind, period_s, broker, place, data)
    if again or not image.exists():
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(build_image(Layout(board="esp32", settings=settings), _FLASH_BYTES))
    elif settings is not None:
        find_city_again(image, settings)
    if not bare and (cloud or place.cloud):
        label = f"Virtual {KINDS[kind].label_en.lower()}"
        zh, where = KINDS[kind].label_zh, "virtual"
        node = Node(id=identity, kind=kind, label_en=label, label_zh=zh, site=where, district=where)
        asyncio.run(register(str(cloud or place.cloud), place.token, [node]))
    serial = f"02{_digest(identity):010x}"  # a MAC address of its own
    board = VirtualNode(
        image, command, serial=serial, sensors=wire(SAMPLES[kind]), speed=speed, link=port, on_line=_print
    )
    asyncio.run(_run(board, _clock_port(identity), kind if bare else ""))


def find_micropython() -> str:
    """Return a command that is MicroPython: $MICROPYTHON, the repository's own, or the one on the path."""
    given = os.environ.get("MICROPYTHON") or shutil.which("micropython")
    script = Path(__file__).parents[2] / "scripts" / "micropython"
    if given:
        return given
    if script.is_file():
        fetched = subprocess.run([script], capture_output=True, text=True, timeout=_FETCH_WITHIN_S, check=False)
        if fetched.returncode == 0:
            return fetched.stdout.strip()
        raise ConfigError("MicroPython could not be fetched", remedy=fetched.stderr.strip())
    raise ConfigError(
        "there is no MicroPython on this computer",
        remedy="apt install micropython (Debian 13), or name one: MICROPYTHON=/path/to/micropython",
    )


def _settings(
    identity: str, kind: str, period_s: float, broker: str | None, place: Running, data: Path
) -> dict[str, Any]:
    url = broker or place.broker
    if url is None:
        raise ConfigError(
            f"no city runs in {data}", remedy="start one (`cityneuron up`), or give --broker, or --bare"
        )
    address = BrokerAddress.parse(url)
    return {
        "node": identity,
        "kind": kind,
        "period_ms": round(period_s * 1000),
        "broker_host": address.host,
        "broker_port": address.port,
        "broker_tls": address.tls,
        "broker_user": address.username,
        "broker_password": address.password,
        "ntp_hosts": [f"{HOST}:{_clock_port(identity)}"],
        "wifi_ssid": "virtual",
        "wifi_password": "virtual",
        "sensors": list(SAMPLES[kind]),
    }


def find_city_again(image: Path, settings: Mapping[str, Any]) -> None:
    """Tell a node of yesterday where today's broker is: a city's has another port at each start."""
    raw = image.read_bytes()
    before = json.loads(read_image(raw).get("settings.json", b"{}"))
    if before.get("node") == settings["node"]:  # else it was provisioned: as somebody else, to stay so
        there = {name: value for name, value in settings.items() if name.startswith("broker_")}
        image.write_bytes(write_file(raw, "settings.json", json.dumps(before | there).encode()))


def _digest(identity: str) -> int:
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:5], "big")


def _clock_port(identity: str) -> int:
    """Return the port of a node's time server: the same each time, since the flash keeps it."""
    return _FIRST_CLOCK_PORT + _digest(identity) % _CLOCK_PORTS


async def _run(board: VirtualNode, clock_port: int, kind: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with timekeeper(clock_port):
        await _serve(board, stop, kind)


async def _serve(board: VirtualNode, stop: asyncio.Event, kind: str) -> None:
    """Run it until told to stop; `kind` is that of a bare one, which is to be provisioned."""
    await board.start()
    if kind:
        datum = " --datum-mm 5200" if kind == "water_level" else ""
        _console.print(f"make it a node: cityneuron node provision --kind {kind}{datum} --port {board.port}")
    _console.print(f"a board is at [bold]{board.port}[/]; try: mpremote connect {board.port} ls")
    stopping = asyncio.create_task(stop.wait())
    failing = asyncio.create_task(board.until(lambda: False, timeout_s=None))
    try:
        await asyncio.wait({stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        failing.cancel()
        await board.stop()


def _print(line: str) -> None:
    if not line.startswith("{"):  # what programs at its port asked it
        _console.print(line, markup=False, soft_wrap=True)
