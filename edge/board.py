"""Sensors of a Linux board as files: hwmon, IIO, 1-wire and thermal zones all show their values in /sys."""

from __future__ import annotations

import ctypes
import logging
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.agent import AgentConfig, SystemTime
from edge.broker import BrokerAddress
from edge.model.errors import CityError, ConfigError
from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.model.quality import Clock
from edge.model.quantities import QUANTITIES
from edge.outbox import OutboxConfig
from edge.protocol.wire import MAX_TEXT, Column

log = logging.getLogger(__name__)

SERIAL_FILES = (Path("/sys/firmware/devicetree/base/serial-number"), Path("/etc/machine-id"))
"""The number of a Raspberry Pi or another board with a device tree; else that of the installed system."""

_TIMEX_BYTES = 512  # struct timex with room to spare; all zero asks without changing anything
_TIME_ERROR = 5
_REBOOT_AFTER_S = 3
_SAMPLE = "compare it with edge/agent.sample.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSensor:
    """One [[sensor]] table: value = number in the file * factor + offset."""

    quantity: str
    file: Path
    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BoardConfig:
    """A whole agent.toml."""

    node: Node
    broker: BrokerAddress
    data: Path
    sensors: tuple[FileSensor, ...]
    period_s: float
    agent: AgentConfig
    allow_reboot: bool = False
    """Whether the command `reboot` restarts this computer."""

    @property
    def quantities(self) -> tuple[str, ...]:
        """What is sensed."""
        return tuple(sensor.quantity for sensor in self.sensors)


class BoardTime(SystemTime):
    """The board's clock, trusted as far as the kernel says that somebody keeps it right."""

    @property
    def state(self) -> Clock:
        """SYNCED while NTP or PTP disciplines the kernel's clock (adjtimex(2)), else ESTIMATED."""
        call = getattr(ctypes.CDLL(None), "adjtimex", None)
        if call is None:
            return Clock.UNKNOWN
        answer = call(ctypes.create_string_buffer(_TIMEX_BYTES))
        return Clock.UNKNOWN if answer < 0 else Clock.ESTIMATED if answer == _TIME_ERROR else Clock.SYNCED


def board_serial(files: Sequence[Path] = SERIAL_FILES) -> str:
    """Return the hardware's own number: the first of the files that holds one, or nothing."""
    for file in files:
        try:
            text = file.read_text(encoding="ascii")
        except (OSError, ValueError):
            continue  # this board has no such file
        serial = text.strip("\x00 \t\r\n")
        if serial and serial.isprintable():
            return serial[:MAX_TEXT]
    return ""


class FileSampler:
    """Reads each sensor's file. One that cannot be read gives no value, and is told once."""

    def __init__(self, sensors: Sequence[FileSensor]) -> None:
        self.columns = tuple(Column(row.quantity, QUANTITIES[row.quantity].decimals) for row in sensors)
        self._sensors = tuple(sensors)
        self._failing: set[str] = set()

    def sample(self, now_ms: int) -> tuple[float | None, ...]:
        """Return a value for each sensor, or None where its file holds no number now."""
        return tuple(self._read(sensor) for sensor in self._sensors)

    def _read(self, sensor: FileSensor) -> float | None:
        try:
            number = float(sensor.file.read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError) as error:
            if sensor.quantity not in self._failing:
                log.warning("%s: no value from %s: %s", sensor.quantity, sensor.file, error)
            self._failing.add(sensor.quantity)
            return None
        self._failing.discard(sensor.quantity)
        return number * sensor.factor + sensor.offset


def load_board(path: Path) -> BoardConfig:
    """Read agent.toml. Raises ConfigError that names the place."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}", remedy=_SAMPLE) from None
    known = {"node", "agent", "sensor"}
    _only(table, known, path.name)
    node = Node.from_dict(table.get("node", {}))
    if node.kind not in KINDS:
        raise ConfigError(f"{path.name}: unknown kind {node.kind!r}", remedy=f"one of {', '.join(KINDS)}")
    agent = table.get("agent", {})
    known = {"broker", "data", "period_s", "flush_s", "capacity_rows", "allow_reboot"}
    _only(agent, known, f"{path.name} [agent]")
    if not isinstance(agent.get("allow_reboot", False), bool):
        raise ConfigError(f"{path.name} [agent]: allow_reboot is not true or false", remedy=_SAMPLE)
    if not isinstance(agent.get("broker"), str):
        raise ConfigError(f"{path.name} [agent]: broker is missing", remedy="broker = 'mqtt://host:port'")
    return BoardConfig(
        node=node,
        broker=BrokerAddress.parse(agent["broker"]),
        data=Path(agent.get("data", "/var/lib/cityneuron")),
        sensors=_sensors(table.get("sensor"), path.name),
        period_s=_positive(agent, "period_s", KINDS[node.kind].period_s, path.name),
        agent=AgentConfig(
            flush_s=_positive(agent, "flush_s", 1.0, path.name),
            serial=board_serial(),
            outbox=OutboxConfig(capacity_rows=int(_positive(agent, "capacity_rows", 10_000, path.name))),
        ),
        allow_reboot=agent.get("allow_reboot", False),
    )


def reboot_soon() -> None:
    """Restart the computer, once the reply is out."""
    try:
        subprocess.Popen(["sh", "-c", f"sleep {_REBOOT_AFTER_S}; systemctl reboot"], start_new_session=True)
    except OSError as error:
        raise CityError(f"cannot restart: {error.strerror}", remedy="does it run systemd?") from None


def _sensors(rows: Any, where: str) -> tuple[FileSensor, ...]:
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{where}: no [[sensor]] table", remedy=_SAMPLE)
    sensors = []
    for row in rows:
        _only(row, {"quantity", "file", "factor", "offset"}, f"{where} [[sensor]]")
        quantity = row.get("quantity")
        if quantity not in QUANTITIES:
            raise ConfigError(f"{where} [[sensor]]: unknown quantity {quantity!r}", remedy=_SAMPLE)
        if not isinstance(row.get("file"), str):
            raise ConfigError(f"{where} [[sensor]] {quantity}: file is missing", remedy=_SAMPLE)
        factor, offset = float(row.get("factor", 1.0)), float(row.get("offset", 0.0))
        sensors.append(FileSensor(quantity=quantity, file=Path(row["file"]), factor=factor, offset=offset))
    if len({sensor.quantity for sensor in sensors}) != len(sensors):
        raise ConfigError(
            f"{where}: a quantity stands in two [[sensor]] tables", remedy="one sensor a quantity"
        )
    return tuple(sensors)


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}", remedy=f"one of {', '.join(sorted(known))}")


def _positive(table: Mapping[str, Any], key: str, default: float, where: str) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ConfigError(f"{where} [agent]: {key} is not a number above 0", remedy=_SAMPLE)
    return float(value)
