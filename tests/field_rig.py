"""Stand-ins for tests of the field tools: a clock that jumps, boards that play a part, a cloud over HTTP."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from edge.field.chips import FAMILIES, Chip, FlashOptions, Progress
from edge.field.identity import KeyRing
from edge.field.micropython import ImageShelf
from edge.field.ports import Port
from edge.field.status import NodeStatus, read_status
from edge.field.toolbox import Toolbox

SERIAL = "24dcc3a1b2c4"
BOARD = Port("/dev/ttyUSB0", "CP2102", 0x10C4, 0xEA60, "0001")


class Clock:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Authority:
    """A certificate authority of one test."""

    def __init__(self, name: str = "Test root") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._sign(name, self.key.public_key(), name, ca=True)
        self.name = name

    @property
    def pem(self) -> str:
        return self.root.public_bytes(Encoding.PEM).decode()

    def certify(self, node: str, csr_pem: str) -> str:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        assert csr.is_signature_valid
        return self.certify_key(node, csr.public_key())

    def certify_key(self, node: str, key: Any) -> str:
        return self._sign(node, key, self.name).public_bytes(Encoding.PEM).decode()

    def _sign(self, name: str, key: Any, issuer: str, *, ca: bool = False) -> x509.Certificate:
        moment = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named(issuer))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - timedelta(days=1))
            .not_valid_after(moment + timedelta(days=730))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class CloudStandIn:
    """The cloud's API as the contract says, over HTTP; `log` holds every request that changed something."""

    TOKEN = "secret"

    def __init__(self) -> None:
        self.authority = Authority()
        self.nodes: dict[str, dict[str, Any]] = {}
        self.serials: dict[str, str] = {}
        self.notes: dict[str, list[dict[str, Any]]] = {}
        self.latest: dict[str, dict[str, Any]] = {}
        self.commands: dict[int, dict[str, Any]] = {}
        self.rollouts: dict[int, dict[str, Any]] = {}
        self.firmware: list[bytes] = []
        self.log: list[tuple[str, Any]] = []
        self.conflict = self.barred = ""
        self.device: dict[str, Any] = {}
        self.gateways: list[dict[str, Any]] = []
        self.on_command: Callable[[dict[str, Any]], None] = lambda row: row.update(state="done", detail=None)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**24)
        app.add_routes(
            [
                web.get("/api/v1/gateways", self._gateways),
                web.get("/api/v1/nodes", self._nodes),
                web.get("/api/v1/nodes/{id}", self._node),
                web.get("/api/v1/nodes/{id}/device", self._device),
                web.get("/api/v1/nodes/{id}/commands", self._commands_of),
                web.get("/api/v1/latest", self._latest),
                web.get("/api/v1/commands/{id}", self._command),
                web.get("/api/v1/rollouts", self._rollouts),
                web.get("/api/v1/rollouts/{id}", self._rollout),
                web.post("/api/v1/provision", self._provision),
                web.post("/api/v1/nodes/{id}/replace", self._replace),
                web.post("/api/v1/nodes/{id}/notes", self._note),
                web.post("/api/v1/nodes/{id}/commands", self._send),
                web.post("/api/v1/firmware", self._upload),
                web.post("/api/v1/rollouts", self._start),
                web.post("/api/v1/rollouts/{id}/{change}", self._change),
            ]
        )
        return app

    async def _gateways(self, _: web.Request) -> web.Response:
        return web.json_response({"gateways": self.gateways})

    async def _nodes(self, request: web.Request) -> web.Response:
        kind = request.query.get("kind")
        return web.json_response({"nodes": [row for row in self.nodes.values() if kind in (None, row["kind"])]})

    async def _node(self, request: web.Request) -> web.Response:
        row = self.nodes.get(request.match_info["id"])
        return web.json_response(row) if row else _error(404, "no such node", "register it")

    async def _device(self, request: web.Request) -> web.Response:
        node = request.match_info["id"]
        if node not in self.nodes:
            return _error(404, "no such node", "register it")
        serial = next((each for each, name in self.serials.items() if name == node), None)
        return web.json_response({"serial": serial, "notes": self.notes.get(node, []), **self.device})

    async def _latest(self, request: web.Request) -> web.Response:
        row = self.latest.get(request.query["node"])
        return web.json_response({"latest": [row] if row else []})

    async def _provision(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        node = body.get("id") or self.serials.get(body["serial"]) or f"cn-{body['serial'][-6:]}"
        if self.barred:
            return _error(409, f"the device {body['serial']} was replaced", self.barred)
        holder = next((each for each, name in self.serials.items() if name == node), body["serial"])
        if holder != body["serial"]:
            return _error(
                409,
                f"{node} is the device {holder}",
                f"for a new device in its place: cityneuron node replace {node}",
            )
        return self._grant(node, body)

    async def _replace(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        node = request.match_info["id"]
        self.serials = {serial: name for serial, name in self.serials.items() if name != node}
        return self._grant(node, body)

    def _grant(self, node: str, body: dict[str, Any]) -> web.Response:
        self.serials[body["serial"]] = node
        row = self.nodes.setdefault(
            node, {"id": node, "label": {}, "site": "s", "district": "d", "state": "ok"}
        )
        row.update({k: v for k, v in body.items() if k not in ("serial", "csr", "who", "id")})
        return web.json_response(
            {
                "node": row,
                "certificate": self.authority.certify(node, body["csr"]),
                "ca": self.authority.pem,
                "broker": {"host": "broker.city", "port": 8883, "tls": True},
                "ntp_hosts": ["ntp.city"],
            }
        )

    async def _note(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        self.notes.setdefault(request.match_info["id"], []).append({"time_ms": 1, **body})
        return web.json_response({"notes": []})

    async def _send(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        ident = len(self.commands) + 1
        row = {
            "id": ident,
            "node": request.match_info["id"],
            "state": "queued",
            "detail": None,
            "made_ms": 1_000,
        }
        self.commands[ident] = {**row, **body, "replied_ms": None}
        return web.json_response(self.commands[ident])

    async def _command(self, request: web.Request) -> web.Response:
        row = self.commands[int(request.match_info["id"])]
        self.on_command(row)
        return web.json_response(row)

    async def _commands_of(self, request: web.Request) -> web.Response:
        node = request.match_info["id"]
        return web.json_response({"commands": [row for row in self.commands.values() if row["node"] == node]})

    async def _upload(self, request: web.Request) -> web.Response:
        self.firmware.append(await request.read())
        return web.json_response({"version": "1", "board": "esp32", "digest": "0" * 64, "size": 1})

    async def _start(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        self.rollouts[1] = {"id": 1, "state": "done", "total": 0, "counts": {}, "ring": 0, "nodes": [], **body}
        return web.json_response(self.rollouts[1])

    async def _rollouts(self, _: web.Request) -> web.Response:
        return web.json_response({"rollouts": list(self.rollouts.values())})

    async def _rollout(self, request: web.Request) -> web.Response:
        return web.json_response(self.rollouts[int(request.match_info["id"])])

    async def _change(self, request: web.Request) -> web.Response:
        row = self.rollouts[int(request.match_info["id"])]
        row["state"] = {"stop": "stopped", "resume": "running"}[request.match_info["change"]]
        self.log.append((request.path, await request.json()))
        return web.json_response(row)

    async def _body(self, request: web.Request) -> Any:
        if request.headers.get("Authorization") != f"Token {self.TOKEN}":
            return _error(401, "the token is missing or wrong", "")
        if self.conflict:
            return _error(409, self.conflict, "choose another")
        body = await request.json()
        self.log.append((request.path, body))
        return body


def _error(status: int, message: str, remedy: str) -> web.Response:
    return web.json_response({"error": {"message": message, "remedy": remedy}}, status=status)


def said(**changes: Any) -> dict[str, Any]:
    """What a node that works well says of itself."""
    row: dict[str, Any] = {
        "node": "cn-a1b2c4", "boot": 10_007, "version": "0.2.0", "slot": "a", "trial": None, "clock": "synced",
        "time_ms": time.time_ns() // 1_000_000, "net": "up", "broker": "up", "stage": "acked", "produced": 1,
        "acknowledged": 1, "held": 0, "dropped": 0, "last_ack_ms": time.time_ns() // 1_000_000,
        "heap_free": 60_000, "flash_free": 900_000, "rssi_dbm": -61, "uptime_s": 9, "battery_mv": None,
        "errors": [],
        "sensors": [{"name": "jsn_sr04t", "ok": True, "error": None, "values": {"level_m": "2.143"}}],
    }  # fmt: skip
    return row | changes


def status(**changes: Any) -> NodeStatus:
    """The same, read."""
    return read_status(said(**changes))


class FakeChip:
    """A chip in its boot ROM; `error` is raised by the next write."""

    def __init__(self) -> None:
        self.chip = Chip("esp32", SERIAL, "ESP32-D0WD-V3")
        self.written: list[tuple[int, bytes]] = []
        self.error: Exception | None = None

    async def identify(self) -> Chip:
        return self.chip

    async def write(
        self,
        parts: Sequence[tuple[int, Path]],
        progress: Progress,
        *,
        erase: bool = False,
        restart: bool = False,
    ) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        progress("writing", 0.5)
        self.written += [(offset, path.read_bytes()) for offset, path in parts]


class FakeFiles:
    """A board at MicroPython's prompt."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.resets = 0
        self.name = "esp32"

    async def serial(self) -> str:
        return SERIAL

    async def platform(self) -> str:
        return self.name

    async def copy(self, files: Mapping[str, bytes], progress: Progress, *, node: str) -> None:
        progress("copying", 0.5)
        self.files.update(files)

    async def reset(self) -> None:
        self.resets += 1


class FakeConsole:
    """A node that says one status after the other, and the last one for ever; None: it is silent."""

    def __init__(self, statuses: list[NodeStatus | None], prompt: bool = False) -> None:
        self.statuses = statuses
        self.heard: list[str] = []
        self.has_prompt = prompt
        self.open = 0

    def __call__(self, _device: str) -> FakeConsole:
        self.open += 1
        return self

    def status(self, timeout_s: float) -> NodeStatus | None:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def prompt(self, timeout_s: float) -> bool:
        return self.has_prompt

    def close(self) -> None:
        self.open -= 1


class Workplace:
    """A toolbox of stand-ins around one board."""

    def __init__(self, folder: Path, statuses: list[NodeStatus | None]) -> None:
        self.clock = Clock()
        self.chip, self.files, self.console = FakeChip(), FakeFiles(), FakeConsole(statuses)
        self.ports = [BOARD]
        self.folder = folder
        image = folder / "esp32.bin"
        image.write_bytes(esp_image(0))
        shelf = ImageShelf(folder / "firmware")
        shelf.find(FAMILIES["esp32"], image)
        self.tools = Toolbox(
            keys=KeyRing(folder / "state"),
            shelf=shelf,
            chip_tool=self._chip,
            file_tool=lambda _device: self.files,
            console=self.console,
            ports=lambda: self.ports,
            check_port=lambda _device: None,
            files=lambda layout: {
                "main.py": b"",
                "settings.json": json.dumps(layout.settings).encode(),
                **layout.files,
            },
            image=lambda layout, size: (json.dumps(layout.settings).encode() + b"\xff" * size)[:size],
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def _chip(self, _device: str, _options: FlashOptions) -> FakeChip:
        return self.chip


def esp_image(chip: int, *, offset: int = 0x1000) -> bytes:
    """A MicroPython image for an ESP32 with 4 MB: header, partition table, and an app of a few bytes."""
    raw = bytearray(b"\xff" * (0x10000 - offset))
    raw[0] = 0xE9
    raw[12:14] = chip.to_bytes(2, "little")
    rows = (
        (b"nvs", 1, 2, 0x9000, 0x6000),
        (b"factory", 0, 0, 0x10000, 0x1F0000),
        (b"vfs", 1, 0x81, 0x200000, 0x200000),
    )
    for index, (name, kind, sub, start, size) in enumerate(rows):
        at = 0x8000 - offset + 32 * index
        row = b"\xaa\x50" + bytes((kind, sub)) + start.to_bytes(4, "little") + size.to_bytes(4, "little")
        raw[at : at + 32] = row + name.ljust(16, b"\0") + bytes(4)
    app = b"\xe9\x01" + bytes(21) + b"\x01" + bytes(4) + (12).to_bytes(4, "little") + b"micropython!" + bytes(4)
    return bytes(raw) + app + hashlib.sha256(app).digest()


def offline_bundle(path: Path, count: int = 2) -> Path:
    """Write a bundle as the cloud does."""
    authority, rows = Authority(), []
    with zipfile.ZipFile(path, "w") as bundle:
        for number in range(count):
            node = f"spare-{number}"
            key = ec.generate_private_key(ec.SECP256R1())
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            bundle.writestr(f"{node}/node.key", pem)
            bundle.writestr(f"{node}/node.crt", authority.certify_key(node, key.public_key()))
            rows.append({"id": node, "key": f"{node}/node.key", "certificate": f"{node}/node.crt"})
        bundle.writestr("ca.crt", authority.pem)
        head = {
            "ca": "ca.crt",
            "nodes": rows,
            "broker": {"host": "b", "port": 8883, "tls": True},
            "ntp_hosts": ["n"],
        }
        bundle.writestr("bundle.json", json.dumps(head))
    return path
