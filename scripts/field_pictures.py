"""Take the pictures of the field guide: a real city, a chip's ROM, a virtual board, what the terminal shows.

PYTHONPATH=tests .venv/bin/python scripts/field_pictures.py
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import servers
from field_rig import esp_image
from firmware.rom import FakeRom
from rich.console import Console

from edge.broker import BrokerAddress
from edge.field.ask import ask_node
from edge.field.board import Handling
from edge.field.bundle import build_bundle, keys_file, make_signing_key
from edge.field.chips import FAMILIES, FlashOptions
from edge.field.cli_fleet import rollout_picture, tapped_line
from edge.field.cloud import CloudApi
from edge.field.config import FieldConfig
from edge.field.console import Console as NodeConsole
from edge.field.diagnosis import FieldError
from edge.field.doctor import verdicts
from edge.field.image import FILE_SYSTEMS, slot_files
from edge.field.make import toolbox
from edge.field.order import Order, check_order, with_datum
from edge.field.ports import check_port
from edge.field.provision import Job, Provision
from edge.field.rollout import ENDED
from edge.field.screen import CourseScreen, show_error, show_success, show_verdicts
from edge.field.stages import Course, Stage
from edge.field.status import read_status
from edge.field.tap import tap
from edge.folder import DataFolder
from simulators.virtual.buses import Radio
from simulators.virtual.node import VirtualNode
from simulators.virtual.wiring import SAMPLES, wire

IMAGES = servers.PROJECT / "docs" / "images"
MAC, NODE, WIFI, PASSWORD = "24:dc:c3:a1:b2:c4", "stage-0042", "city-iot", "right"
ORDER = Order(
    kind="water_level", id=NODE, label_en="River mouth", label_zh="河口", site="mouth", district="yangpu",
    lat=31.2712, lon=121.5203, period_s=10,
)  # fmt: skip
REGION = FILE_SYSTEMS["esp32"]
ANSWER_S, TAPPED, UPDATED_WITHIN_S = 20.0, 8, 180.0


def picture(name: str, title: str, draw: Callable[[Console], object]) -> None:
    """Write what `draw` prints on a terminal of 84 columns."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, force_terminal=True, width=84, file=nowhere, color_system="truecolor")
        draw(console)
        console.save_svg(str(IMAGES / f"field-{name}.svg"), title=title)
    print(f"docs/images/field-{name}.svg")


class TimeServer:
    """Tells the time over SNTP (RFC 4330), as a gateway does."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            asked, whom = self._socket.recvfrom(256)
            now = int((time.time() + 2_208_988_800) * 2**32)
            head = struct.pack(">BBbbII4s", 0x24, 1, 4, -20, 0, 0, b"LOCL")
            self._socket.sendto(
                head + struct.pack(">Q", now) + asked[40:48] + struct.pack(">QQ", now, now), whom
            )


class Bench:
    """A chip in its ROM, which becomes a virtual board with what was flashed when its console is asked for."""

    def __init__(self, folder: Path, rom: FakeRom, micropython: str) -> None:
        self.rom, self.link = rom, folder / "ttyUSB0"
        self.image = folder / "board.img"
        self.node = VirtualNode(
            self.image, micropython, serial=MAC.replace(":", ""), sensors=wire(SAMPLES["water_level"]),
            radio=Radio(ssid=WIFI, password=PASSWORD), link=self.link,
        )  # fmt: skip

    def console(self, device: str) -> NodeConsole:
        """Open the node's console, after its first start if need be."""
        if not self.node.running and not self.image.exists():
            self.image.write_bytes(self.rom.region(REGION.offset, REGION.size))
            asyncio.run(self.node.start())
        return NodeConsole(device)


async def provision(city: DataFolder, job: Job, bench: Bench, keys: bytes, name: str) -> None:
    """Provision a board of the running city, and take a picture of how it ended."""
    place = city.running()
    assert place is not None
    broker = BrokerAddress.parse(place.broker)
    config = FieldConfig(state=city.path / "field", firmware=city.path / "firmware")
    tools = replace(toolbox(config), console=bench.console, update_keys=keys)
    given = city.path / "micropython.bin"
    given.write_bytes(esp_image(0) + os.urandom(1_500_000))
    tools.shelf.find(FAMILIES["esp32"], given)
    show = CourseScreen(Console(quiet=True), f"provision {ORDER.kind} {NODE}")
    course = Course(tuple(Stage), tools.clock, show.changed)
    try:
        async with AsyncExitStack() as stack:
            api = await stack.enter_async_context(CloudApi(place.cloud, city.token()))
            job = replace(job, broker=(broker.host, broker.port, broker.tls))
            done = await Provision(job, tools, course, api).run()
    except FieldError as error:
        failed = error
        picture(name, "cityneuron node provision", lambda c: (c.print(show.picture()), show_error(c, failed)))
        return
    then = [f"cityneuron node label {NODE}", f"cityneuron node doctor {NODE}"]
    rows = [("first reading", done.values), ("after", f"{done.seconds:.0f} s"), ("chip", done.serial)]
    title = f"{NODE} works"
    picture(name, "cityneuron node provision",
            lambda c: (c.print(show.picture()), show_success(c, title, rows, then)))  # fmt: skip


def busy(port: str) -> None:
    """Take a picture of a port that another program holds."""
    code = (
        "import serial, sys; p = serial.Serial(sys.argv[1], exclusive=True); print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", code, port]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        check_port(port)
    except FieldError as error:
        failed = error
        picture("busy", "cityneuron node provision", lambda c: show_error(c, failed))
    finally:
        holder.communicate("\n", timeout=10)


async def doctor(city: DataFolder) -> None:
    """Take a picture of the verdicts on the node, asked from afar."""
    place = city.running()
    assert place is not None
    async with CloudApi(place.cloud, city.token()) as api:
        reply = await ask_node(api, NODE, "status", {}, who="wang", wait_s=60)
    found = verdicts(read_status(reply["detail"]), time.time_ns() // 1_000_000)
    picture("doctor", f"cityneuron node doctor {NODE}", lambda c: show_verdicts(c, NODE, found))


async def tapped(city: DataFolder) -> None:
    """Take a picture of the node's messages on the broker."""
    place, lines = city.running(), []
    assert place is not None
    async for message in tap(BrokerAddress.parse(place.broker), NODE):
        lines.append(tapped_line(message, named=False))
        if len(lines) == TAPPED:
            break
    picture("tap", f"cityneuron node tap {NODE}", lambda c: [c.print(line) for line in lines])


async def updated(city: DataFolder, bundle: bytes) -> None:
    """Roll a version out to the node, and take a picture of how it ended."""
    place = city.running()
    assert place is not None
    async with CloudApi(place.cloud, city.token()) as api, asyncio.timeout(UPDATED_WITHIN_S):
        await api.upload(bundle)
        wish = {"version": "9.0.0", "board": "esp32", "nodes": [NODE], "rings": [100], "who": "wang"}
        row = await api.start_rollout(wish)
        while row["state"] not in ENDED:
            await asyncio.sleep(1)
            row = await api.rollout(int(row["id"]))
    picture(
        "update",
        f"cityneuron node update city-9.0.0.cnb --node {NODE}",
        lambda c: c.print(rollout_picture(row)),
    )


async def take(city: DataFolder, bench: Bench) -> None:
    """Take all pictures of one board on its way."""
    key = make_signing_key()
    keys = keys_file(key.public_key())
    order = check_order(ORDER)
    job = Job(
        order=replace(order, sensors=with_datum(order.sensors, 5200)),
        handling=Handling(
            port=bench.rom.port, console=str(bench.link), by="flash",
            options=FlashOptions(reset=False, stub=False),
        ),
        who="wang", wifi_ssid=WIFI, wifi_password="wrong", ntp=TimeServer().address,
    )  # fmt: skip
    try:
        await provision(city, job, bench, keys, "password")
        await bench.node.stop()
        bench.image.unlink()
        await provision(city, replace(job, wifi_password=PASSWORD), bench, keys, "provision")
        await asyncio.to_thread(busy, bench.node.port)
        await doctor(city)
        await tapped(city)
        await updated(
            city, build_bundle(slot_files(), version="9.0.0", board="esp32", signers=[key], keys=keys)
        )
    finally:
        await bench.node.stop()


def main() -> None:
    """Run a city in a temporary folder and a board beside it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    script = servers.PROJECT / "scripts" / "micropython"
    micropython = subprocess.run([script], capture_output=True, text=True, check=True).stdout.strip()
    door = str(Path(sys.executable).with_name("cityneuron"))
    with tempfile.TemporaryDirectory() as folder:
        city = subprocess.Popen(
            [door, "up", "--port", "0", "--data", folder], stdout=subprocess.PIPE, text=True
        )
        assert city.stdout is not None
        try:
            while "Ctrl-C" not in (line := city.stdout.readline()):
                assert line, "the city ended"
            print(json.loads((Path(folder) / "run.json").read_text())["cloud"])
            if not (Path(folder) / "cloud" / "ca").exists():
                subprocess.run([door, "cloud", "ca", "init", "--data", folder], check=True)
            with FakeRom(mac=MAC) as rom:
                asyncio.run(take(DataFolder(Path(folder)), Bench(Path(folder), rom, micropython)))
        finally:
            city.terminate()
            city.communicate(timeout=60)


if __name__ == "__main__":
    main()
