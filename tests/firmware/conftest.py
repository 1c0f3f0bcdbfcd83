"""Fixtures that run the firmware on a real MicroPython: what CPython says of it proves nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import servers
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from firmware.test_to_the_store import CONFIG, running_gateway
from firmware.watched import WatchedBoard
from peer import Peer
from time_servers import SntpServer

from edge.field.image import compile_module
from gateway.app import Gateway

FIRMWARE = servers.PROJECT / "firmware"
SCRIPTS = Path(__file__).with_name("on_micropython")
PlaceBoard = Callable[..., WatchedBoard]
HEAP_KW = 128  # 128wK is 128 KB where words have 32 bits, and as many words on amd64
FETCH_WITHIN_S = 300
RUN_WITHIN_S = 110


@dataclass(frozen=True, slots=True)
class MicroPython:
    """A MicroPython command, with the firmware, compiled as boards get it, on its path and a limited heap."""

    executable: str
    firmware: Path

    def command(self, script: str, *arguments: object, heap_kw: int = HEAP_KW) -> list[str]:
        """Return the command that runs a script of on_micropython/."""
        return [self.executable, "-X", f"heapsize={heap_kw}wK", str(SCRIPTS / script), *map(str, arguments)]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment in which the firmware is found."""
        return {**os.environ, "MICROPYPATH": f"{self.firmware / 'lib'}:{self.firmware}:.frozen", **more}

    def run(self, script: str, *arguments: object, heap_kw: int = HEAP_KW) -> list[str]:
        """Run a script to its end and return the lines it printed; fail as it fails."""
        done = subprocess.run(
            self.command(script, *arguments, heap_kw=heap_kw),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, f"{script} on MicroPython:\n{done.stdout}"
        return done.stdout.splitlines()


@dataclass(slots=True)
class Node:
    """The firmware running as a process on the simulated board, and what it says of itself."""

    name: str
    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    heap_bytes: int = 0
    produced: int = 0
    acknowledged: int = 0
    held: int = 0
    dropped: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, condition: Callable[[], bool], timeout_s: float = 90) -> None:
        """Return when the condition holds; fail with the node's own words when it ended or was too slow."""
        stream = self.process.stdout
        assert stream is not None
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: condition() or stream.at_eof())
        except TimeoutError:
            pytest.fail("the node did not get there:\n" + "\n".join(self.lines[-20:]))
        assert condition(), "the node ended:\n" + "\n".join(self.lines[-20:])

    async def listen(self) -> None:
        """Take what the node prints until it ends."""
        assert self.process.stdout is not None
        async for raw in self.process.stdout:
            if not raw.endswith(b"\n"):  # it was killed within a line
                break
            word, _, rest = raw.decode().strip().partition(" ")
            async with self._changed:
                if word == "heap":
                    self.heap_bytes = int(rest)
                elif word == "ledger":
                    self.produced, self.acknowledged, self.held, self.dropped = map(int, rest.split())
                    assert self.produced == self.acknowledged + self.held + self.dropped, rest
                else:
                    self.lines.append(f"{word} {rest}")
                self._changed.notify_all()
        async with self._changed:
            self._changed.notify_all()

    def cut_power(self) -> None:
        """End it at once."""
        if self.process.returncode is None:
            self.process.kill()


def compile_firmware(target: Path) -> None:
    """Compile every module of the firmware, as boards get it."""
    for folder in ("lib/cityneuron", "drivers", "boards"):
        (target / folder).mkdir(parents=True)
        for source in (FIRMWARE / folder).glob("*.py"):
            name = source.relative_to(FIRMWARE)
            (target / name.with_suffix(".mpy")).write_bytes(compile_module(str(name), source.read_bytes()))


@pytest.fixture(scope="session")
def micropython(tmp_path_factory: pytest.TempPathFactory) -> MicroPython:
    """A real MicroPython, fetched into .cache/ by the first test that asks."""
    fetch = subprocess.run(
        [servers.PROJECT / "scripts" / "micropython"],
        capture_output=True,
        text=True,
        timeout=FETCH_WITHIN_S,
        check=False,
    )
    if fetch.returncode != 0:
        pytest.fail(fetch.stderr, pytrace=False)
    compiled = tmp_path_factory.mktemp("firmware") / "a"
    compile_firmware(compiled)
    runner = SCRIPTS / "run_node.py"  # compiled too: its source would count for the heap
    (compiled / "run_node.mpy").write_bytes(compile_module(runner.name, runner.read_bytes()))
    return MicroPython(fetch.stdout.strip(), compiled)


class TlsMosquitto(servers.TlsMosquitto):
    """The deployed broker, with TLS and client certificates; what `keys` holds is made with openssl."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, folder / "keys", list_of_revoked=False)
        self.keys.mkdir(parents=True)
        self._openssl("req -x509 -new -nodes {P256} -keyout ca.key -out ca.crt -subj /CN=test-ca -days 2")
        self.issue("server", self.host, f"subjectAltName=IP:{self.host}")

    def issue(self, name: str, common_name: str, extension: str = "keyUsage=digitalSignature") -> None:
        """Make NAME.key and NAME.crt, signed by the test's authority."""
        (self.keys / "extension").write_text(extension, encoding="utf-8")
        self._openssl(f"req -new -nodes {{P256}} -keyout {name}.key -out {name}.csr -subj /CN={common_name}")
        self._openssl(
            f"x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile extension"
            f" -out {name}.crt -days 2"
        )

    def issue_later(self, name: str, common_name: str, delay_s: float) -> None:
        """Make NAME.key and NAME.crt, which is not valid before `delay_s` from now."""
        authority = x509.load_pem_x509_certificate((self.keys / "ca.crt").read_bytes())
        signer = serialization.load_pem_private_key((self.keys / "ca.key").read_bytes(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        begins = datetime.now(UTC) + timedelta(seconds=delay_s)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(authority.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(self.host))]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        (self.keys / f"{name}.crt").write_bytes(certificate.public_bytes(pem))
        key_format = serialization.PrivateFormat.TraditionalOpenSSL
        (self.keys / f"{name}.key").write_bytes(key.private_bytes(pem, key_format, plain))

    def der(self, name: str, home: Path) -> None:
        """Write a node's key and certificates as DER into its flash."""
        self._openssl(f"ec -in {name}.key -outform DER -out {home}/node.key")
        self._openssl(f"x509 -in {name}.crt -outform DER -out {home}/node.crt")
        self._openssl(f"x509 -in ca.crt -outform DER -out {home}/ca.crt")

    def tls(self, name: str) -> aiomqtt.TLSParameters:
        """Return how a client of this host logs in with a certificate."""
        return aiomqtt.TLSParameters(
            *(str(self.keys / file) for file in ("ca.crt", f"{name}.crt", f"{name}.key"))
        )

    def _openssl(self, arguments: str) -> None:
        words = arguments.replace("{P256}", "-newkey ec -pkeyopt ec_paramgen_curve:P-256").split()
        subprocess.run([servers.program("openssl"), *words], cwd=self.keys, check=True, capture_output=True)


@pytest.fixture
def tls_mosquitto(tmp_path: Path) -> Iterator[TlsMosquitto]:
    """A broker that lets in nobody without a certificate."""
    broker = TlsMosquitto(tmp_path / "tls")
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


@pytest.fixture
async def time_server() -> AsyncIterator[SntpServer]:
    """A time server that tells the truth."""
    server = SntpServer()
    await server.start()
    yield server
    server.close()


@pytest.fixture
async def start_node(
    micropython: MicroPython, mosquitto: servers.Mosquitto, time_server: SntpServer, tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[Node]]]:
    """Call with a node id, and settings to change, to start a stage station; it ends with the test.

    The flash of a node is a folder of its name: started again, it finds there what it left.
    """
    nodes: list[tuple[Node, asyncio.Task[None]]] = []

    async def start(
        name: str,
        *arguments: str,
        serial: str = "e661640843325d2b",
        home: str = "",
        heap_kw: int = HEAP_KW,
        **changes: Any,
    ) -> Node:
        flash = tmp_path / (home or name)
        flash.mkdir(exist_ok=True)
        settings = {
            "node": name,
            "kind": "water_level",
            "period_ms": 50,
            "broker_host": mosquitto.host,
            "broker_port": mosquitto.port,
            "broker_tls": False,
            "ntp_hosts": [time_server.address],
            "sensors": [
                {"driver": "jsn_sr04t", "bus": "jsn", "datum_mm": 5200},
                {"driver": "ds18b20", "bus": "onewire"},
            ],
            **changes,
        }
        (flash / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *(micropython.executable, "-X", f"heapsize={heap_kw}wK", "-m", "run_node", *arguments),
            env=micropython.environment(
                CITYNEURON_HOME=str(flash), CITYNEURON_SERIAL=serial, MICROPYPATH="a/lib:a:.frozen"
            ),
            cwd=micropython.firmware.parent,  # a slot's short paths: they lie in the heap
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        node = Node(name, process)
        nodes.append((node, asyncio.create_task(node.listen())))
        return node

    yield start
    for node, listening in nodes:
        node.cut_power()
        await listening
        await node.process.wait()


@pytest.fixture
async def peer(mosquitto: servers.Mosquitto) -> AsyncIterator[Peer]:
    """A small gateway on the same broker."""
    async with Peer(mosquitto.host, mosquitto.port) as gateway:
        yield gateway


@pytest.fixture
async def gateway(
    mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB, tmp_path: Path
) -> AsyncIterator[Gateway]:
    """The real gateway, which admits anybody, with a real store."""
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(folder=tmp_path, mqtt=mosquitto.url, store=influxdb.url), encoding="utf-8")
    async with running_gateway(config) as found:
        yield found


@pytest.fixture
async def place_board(
    micropython: MicroPython, mosquitto: servers.Mosquitto, time_server: SntpServer, tmp_path: Path
) -> AsyncIterator[PlaceBoard]:
    """Call with a name, and settings to change, for a virtual board without power; it ends with the test."""
    boards: list[WatchedBoard] = []

    def place(name: str, files: Mapping[str, bytes] | None = None, **settings: Any) -> WatchedBoard:
        network = {"broker_port": mosquitto.port, "ntp_hosts": [time_server.address]}
        boards.append(WatchedBoard(tmp_path, name, micropython.executable, {**network, **settings}, files))
        return boards[-1]

    yield place
    for board in boards:
        await board.node.stop()
