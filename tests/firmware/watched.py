"""A virtual board with a witness at its sensor, who knows each reading by its value, whoever else says what.

The n-th measurement of a board reads n times 5 mV. What the store holds is thereby told from what was measured,
reading by reading, without asking node or gateway; the ledger is judged by it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import servers

from edge.field.image import Layout, build_image, read_image
from edge.model.errors import CityError
from gateway.ledger import Ledger, Stream
from simulators.virtual.node import VirtualNode

FLASH_BYTES = 1 << 20
WITHIN_S = 90.0
STEP_MV = 5
AS_FAST_AS_IT_GOES = 1e7  # its deep sleeps
SUPPLY_PIN = 33
PERIOD_MS = 50
MOST_IN_RAM = 8
"""Readings that a watched board has room for in its memory."""
_ADDRESS, _CONFIGURATION, _BUS, _MAKER = 0x40, 0x00, 0x02, 0xFE
_BITS_A_STEP = 4  # of 1.25 mV
_HEAD = struct.Struct("<4sQIII")
_CRC_BYTES = 4


class NobodyThere(CityError):
    """No device has this address."""


@dataclass(slots=True)
class _Life:
    begins_with: int
    boot: int | None = None


class WatchedBoard:
    """The firmware as it is shipped, on a virtual board whose INA226 this is."""

    def __init__(
        self,
        folder: Path,
        name: str,
        micropython: str,
        settings: Mapping[str, Any],
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        self.name = name
        self.measured = self.warnings = 0
        self.warns_when_connected = False
        """Whether the supply warns as soon as the broker is there."""
        self._lives: dict[int, _Life] = {}
        image = folder / f"{name}.img"
        layout = Layout(board="esp32", settings=_settings(name, settings), files=files or {})
        image.write_bytes(build_image(layout, FLASH_BYTES))
        self.node = VirtualNode(
            image,
            micropython,
            sensors={"i2c0": self, f"pin{SUPPLY_PIN}": self},
            on_line=self._on_line,
            speed=AS_FAST_AS_IT_GOES,
        )

    def i2c(self, address: int, written: bytes, wanted: int) -> bytes:
        """Answer as the chip does; the bus voltage tells the number of the measurement."""
        if address != _ADDRESS:
            raise NobodyThere(f"0x{address:02x}")
        register, value = written[0], written[1:]
        if register == _CONFIGURATION and value:
            self._life()
            self.measured += 1
        if register == _MAKER:
            return b"TI"
        return (_BITS_A_STEP * self.measured).to_bytes(2, "big") if register == _BUS else bytes(wanted)

    def pulses(self) -> int:
        """How often the supply warned."""
        return self.warnings

    @property
    def boot(self) -> int | None:
        """The boot that runs; None before it is numbered."""
        life = self._lives.get(self.node.starts)
        return life.boot if life is not None else None

    def made(self) -> dict[int, list[int]]:
        """Return the numbers of the measurements of each boot, in order: reading `seq` is the seq-th of them.

        The last one of a life whose power was cut may have become no reading any more.
        """
        found: dict[int, list[int]] = {}
        lives = sorted(self._lives.items())
        ends = [life.begins_with for _, life in lives[1:]] + [self.measured]
        for (_, life), end in zip(lives, ends, strict=True):
            numbers = range(life.begins_with + 1, end + 1)
            if life.boot is not None:
                found.setdefault(life.boot, []).extend(numbers)
            else:
                assert not numbers, "measured before the boot was numbered"
        return found

    def files(self) -> dict[str, bytes]:
        """Return what lies on the flash, which must hold a file system, and the one that was made first."""
        files = read_image(self.node.image.read_bytes())
        assert "settings.json" in files and "a/manifest.json" in files
        return files

    def on_flash(self) -> set[tuple[int, int]]:
        """Return the (boot, seq) of the readings on flash, by their checksums."""
        found: set[tuple[int, int]] = set()
        for name, data in self.files().items():
            if name.endswith(".seg") and data:
                _, boot, seq, _, columns = _HEAD.unpack_from(data)
                size = 13 + 4 * columns
                for at in range(_HEAD.size + _CRC_BYTES, len(data) - size + 1, size):
                    record, check = data[at : at + size - _CRC_BYTES], data[at + size - _CRC_BYTES : at + size]
                    assert crc32(record, seq) == int.from_bytes(check, "little"), f"{name}: {seq} is damaged"
                    found.add((boot, seq))
                    seq += 1
        return found

    def _on_line(self, line: str) -> None:
        life = self._life()
        head, _, rest = line.partition(", boot ")
        if head == self.name and rest:
            life.boot = int(rest.split(",")[0])
        if line.startswith("connected;") and self.warns_when_connected:
            self.warnings += 1

    def _life(self) -> _Life:
        return self._lives.setdefault(self.node.starts, _Life(self.measured))


def _settings(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "node": name,
        "kind": "streetlight",
        "period_ms": PERIOD_MS,
        "capacity_rows": MOST_IN_RAM,
        "pack_rows": 4,
        "broker_host": servers.HOST,
        "broker_tls": False,
        "ack_timeout_s": 1,
        "wifi_ssid": "city-iot",
        "wifi_password": "right",
        "supply_warning_pin": SUPPLY_PIN,
        "sensors": [{"driver": "ina226", "bus": "i2c", "shunt_uohm": 100_000}],
        **changes,
    }


@dataclass(slots=True)
class Verdict:
    """What became of every reading of a board: (boot, seq)."""

    stored: set[tuple[int, int]] = field(default_factory=set)
    missing: set[tuple[int, int]] = field(default_factory=set)
    untold: set[tuple[int, int]] = field(default_factory=set)
    """Beyond what the node ever told to anybody: in its memory alone when the power went."""


def judge(board: WatchedBoard, ledger: Ledger, influxdb: servers.InfluxDB) -> Verdict:
    """Say what became of every measurement; the ledger explains each, and the store holds just what it says."""
    verdict, expected = Verdict(), list[int]()
    made = board.made()
    streams = {boot: stream for (name, boot), stream in ledger.streams.items() if name == board.name}
    assert streams.keys() <= made.keys(), "the ledger knows a boot that never was"
    for boot, numbers in made.items():
        stream = streams.get(boot, Stream())
        assert stream.top <= len(numbers), f"boot {boot}: the ledger knows of readings that nobody made"
        assert stream.awaited() == [] and not stream.quarantined and not stream.drops, f"boot {boot}: {stream}"
        assert stream.seen == stream.stored, f"boot {boot}: what arrived, and was acknowledged, is not stored"
        stored = {seq for first, end in stream.stored for seq in range(first, end)}
        expected += [numbers[seq] for seq in stored]
        for seq in range(len(numbers)):
            fate = verdict.stored if seq in stored else verdict.missing if seq < stream.top else verdict.untold
            fate.add((boot, seq))
    assert in_store(board.name, influxdb) == sorted(expected), "the store does not hold what the ledger says"
    return verdict


def in_store(name: str, influxdb: servers.InfluxDB) -> list[int]:
    """Return the numbers of the measurements of a board that the store holds, sorted, copies and all."""
    rows: Sequence[Mapping[str, Any]] = influxdb.rows(
        f"SELECT voltage_v FROM streetlight WHERE node = '{name}'"
    )
    return sorted(round(row["voltage_v"] * 1000) // STEP_MV for row in rows)
