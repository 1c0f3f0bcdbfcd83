"""What goes wrong in the street, on real MicroPython before a real broker: each is told by its name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import servers
from cryptography.hazmat.primitives.asymmetric import ec
from time_servers import SntpServer

from cloud.ca import Authority, Identity, private_pem, write_whole
from cloud.services import epoch_ms
from edge.field.console import Console
from edge.field.diagnosis import FieldError, Symptom
from edge.field.identity import join
from edge.field.image import Layout, build_image
from edge.field.order import Access, Order, parse_sensor, settings
from edge.field.stages import Stage
from edge.field.watch import PATIENCE_S, Watch
from simulators.virtual.buses import Radio
from simulators.virtual.node import VirtualNode
from simulators.virtual.wiring import wire

if TYPE_CHECKING:
    from conftest import MicroPython

pytestmark = pytest.mark.real

FLASH_BYTES = 1 << 20
DAY_MS = 86_400_000
LEVEL, THERMOMETER = "jsn_sr04t:uart1:datum_mm=5200", "ds18b20:onewire"
FAR_TOO_HIGH = "jsn_sr04t:uart1:datum_mm=900000"
ASK_S, PAUSE_S = 2.0, 0.3
PATIENT_S: Mapping[Stage, float] = {**dict.fromkeys(PATIENCE_S, 8.0), Stage.SAMPLE: 5.0, Stage.STORED: 5.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrong:
    """What is wrong with a node or its surroundings, and how that is to be told."""

    symptom: Symptom
    stage: Stage
    radio: Radio = field(default_factory=lambda: Radio(ssid="city-iot", password="right"))
    sensors: tuple[str, ...] = (LEVEL, THERMOMETER)
    wired: bool = True
    broker: str = "well"
    host: str = servers.HOST
    ntp: bool = True
    identity: str = "own"


CASES = {
    "no-wifi": Wrong(symptom=Symptom.NO_WIFI, stage=Stage.NETWORK, radio=Radio(ssid="another")),
    "bad-password": Wrong(
        symptom=Symptom.BAD_PASSWORD, stage=Stage.NETWORK, radio=Radio(ssid="city-iot", password="another")
    ),
    "no-time": Wrong(symptom=Symptom.NO_TIME, stage=Stage.CLOCK, ntp=False),
    "dns": Wrong(symptom=Symptom.DNS, stage=Stage.BROKER, host="broker.invalid"),
    "broker-away": Wrong(symptom=Symptom.BROKER_AWAY, stage=Stage.BROKER, broker="away"),
    "tls-date": Wrong(symptom=Symptom.TLS_DATE, stage=Stage.BROKER, broker="early"),
    "tls-authority": Wrong(symptom=Symptom.TLS_AUTHORITY, stage=Stage.BROKER, identity="foreign"),
    "revoked": Wrong(symptom=Symptom.CERTIFICATE_REFUSED, stage=Stage.BROKER, identity="revoked"),
    "access-list": Wrong(symptom=Symptom.GATEWAY_SILENT, stage=Stage.STORED, identity="anothers"),
    "sensor-silent": Wrong(symptom=Symptom.SENSOR_SILENT, stage=Stage.SAMPLE, wired=False),
    "implausible": Wrong(symptom=Symptom.IMPLAUSIBLE, stage=Stage.SAMPLE, sensors=(FAR_TOO_HIGH,)),
}


class Street:
    """A broker as deployed, one whose certificate is of tomorrow, and the authority of both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.create(folder / "ca", epoch_ms())
        self.foreign = Authority.create(folder / "foreign", epoch_ms())
        self.well, self.early = (
            self._broker("well", epoch_ms()),
            self._broker("early", epoch_ms() + 30 * DAY_MS),
        )
        self.away_port = servers.free_port()

    def _broker(self, name: str, made_ms: int) -> servers.TlsMosquitto:
        keys, key = self.folder / name, ec.generate_private_key(ec.SECP256R1())
        keys.mkdir()
        write_whole(keys / "ca.crt", self.authority.root_pem.encode())
        write_whole(keys / "server.crt", self.authority.sign_server([servers.HOST], key.public_key(), made_ms))
        write_whole(keys / "server.key", private_pem(key), mode=0o600)
        write_whole(keys / "crl.pem", self.authority.revocations([], epoch_ms()))
        return servers.TlsMosquitto(keys, keys, passwords={"nobody": "a password of the test"})

    def files(self, node: str, wrong: Wrong) -> dict[str, bytes]:
        """A node's certificates as they lie on its flash."""
        authority = self.foreign if wrong.identity == "foreign" else self.authority
        name = "somebody-else" if wrong.identity == "anothers" else node
        key = ec.generate_private_key(ec.SECP256R1())
        made = authority.sign(name, key.public_key(), epoch_ms())
        if wrong.identity == "revoked":
            self._revoke(made)
        return join(name, key, made.pem, authority.root_pem).files()

    def _revoke(self, made: Identity) -> None:
        content = self.authority.revocations([(made.number, epoch_ms())], epoch_ms())
        write_whole(self.well.keys / "crl.pem", content)

    def port(self, wrong: Wrong) -> int:
        """Where the node looks for its broker."""
        return {"well": self.well.port, "early": self.early.port, "away": self.away_port}[wrong.broker]


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    street = Street(tmp_path)
    yield street
    street.well.kill()
    street.early.kill()


async def told(
    street: Street, name: str, wrong: Wrong, files: dict[str, bytes], micropython: str, ntp: str
) -> FieldError:
    """Start a node of which something is wrong; return what whoever provisions it is told."""
    sensors = tuple(parse_sensor(text) for text in wrong.sensors)
    order = Order(kind="water_level", sensors=sensors, period_s=0.5)
    access = Access(
        broker_host=wrong.host, broker_port=street.port(wrong), wifi_ssid="city-iot", wifi_password="right",
        ntp_hosts=(ntp if wrong.ntp else f"{servers.HOST}:{street.away_port}",),
    )  # fmt: skip
    image = street.folder / f"{name}.img"
    layout = Layout(board="esp32", settings=settings(name, order, access), files=files)
    image.write_bytes(await asyncio.to_thread(build_image, layout, FLASH_BYTES))
    wires = wire([parse_sensor(LEVEL), parse_sensor(THERMOMETER)]) if wrong.wired else {}
    node = VirtualNode(image, micropython, sensors=wires, radio=wrong.radio)
    await node.start()
    try:
        return await watched(node, {"node": name, "ssid": "city-iot", "broker": wrong.host, "hosts": ntp})
    finally:
        await node.stop()


async def watched(node: VirtualNode, facts: dict[str, Any]) -> FieldError:
    """Watch a node over its cable until it is clear what is wrong, as `node provision` does."""
    console = await asyncio.to_thread(Console, node.port)
    watch = Watch(time.monotonic(), facts=facts, patience_s=PATIENT_S)
    try:
        while (trouble := watch.trouble(time.monotonic())) is None:
            status = await asyncio.to_thread(console.status, ASK_S)
            if status is not None:
                watch.take(status, time.monotonic())
            assert watch.stage is not None, "it passed all stages"
            await asyncio.sleep(PAUSE_S)  # the console is asked, it does not tell
        return trouble
    finally:
        console.close()


async def test_each_failure_of_the_street_is_told_by_its_name_at_its_stage(
    street: Street, micropython: MicroPython, time_server: SntpServer
) -> None:
    files = {name: street.files(name, wrong) for name, wrong in CASES.items()}
    street.well.start()  # with the list on which the revoked one stands
    street.early.start()
    async with asyncio.TaskGroup() as tasks:
        found = {
            name: tasks.create_task(
                told(street, name, wrong, files[name], micropython.executable, time_server.address)
            )
            for name, wrong in CASES.items()
        }
    errors = {name: task.result() for name, task in found.items()}
    causes = {name: error.cause for name, error in errors.items()}
    assert {name: error.symptom for name, error in errors.items()} == {
        name: wrong.symptom for name, wrong in CASES.items()
    }, causes
    for name, error in errors.items():  # a value is looked at while it is sensed and while it is on its way
        late = error.symptom is Symptom.IMPLAUSIBLE and error.stage is Stage.STORED
        assert error.stage is CASES[name].stage or late, causes
    assert all(error.cause and error.remedies for error in errors.values())
    assert any("access list" in remedy for remedy in errors["access-list"].remedies)
