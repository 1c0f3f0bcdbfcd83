"""A city's store with its hours and days beside it, a clock that tests move, and lines that tests write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cloud.levels import DAY_MS, HOUR_MS, ROLLED, KeepConfig, Level, RollupConfig
from cloud.registry import Registry
from cloud.rollup.reader import Reader
from cloud.rollup.records import Records
from cloud.rollup.roller import Roller
from cloud.stores.embedded import EmbeddedStore
from cloud.stores.influxql import InfluxQLStore
from cloud.stores.protocol import Span, Store
from edge.protocol.lines import Point

SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT_MS = int(datetime(2026, 6, 1, tzinfo=SHANGHAI).timestamp() * 1_000)
ALL = Span(start_ms=MIDNIGHT_MS - 30 * DAY_MS, end_ms=MIDNIGHT_MS + 60 * DAY_MS)
Rolled = dict[tuple[str, tuple[tuple[str, str], ...], int], dict[str, float]]
"""What stands in a level: the fields by measurement, tags and time."""


def reading(kind: str, node: str, minutes: float, **fields: Any) -> Point:
    """Return a reading that many minutes after midnight in Shanghai."""
    tags = (("district", "yangpu"), ("node", node), ("site", "a"))
    return Point(kind, tags, tuple(fields.items()), (MIDNIGHT_MS + round(minutes * 60_000)) * 1_000_000)


def at(hours: float) -> int:
    """Return the time that many hours after midnight in Shanghai."""
    return MIDNIGHT_MS + round(hours * HOUR_MS)


class City:
    """The stores, the roller, and the time."""

    def __init__(self, folder: Path, make: Any, registry: Registry, **options: Any) -> None:
        self.now_ms = MIDNIGHT_MS
        self.registry = registry
        self.raw: Store = make(Level.RAW)
        self.stores: dict[Level, Store] = {level: make(level) for level in ROLLED}
        self.folder, self._keep = folder, options.pop("keep", KeepConfig())
        self._zone: ZoneInfo = options.pop("zone", SHANGHAI)
        self._config = RollupConfig(**{"settle_s": 0.0, "first_days": 3.0, **options})
        self.begin()

    def begin(self) -> None:
        """Make the roller anew, as a restart would; `open` makes it know what the last one left."""
        self.roller = Roller(
            self.raw, self.stores, Records(self.registry), config=self._config, keep=self._keep,
            zone=self._zone, now_ms=lambda: self.now_ms,
        )  # fmt: skip
        self.reader = Reader(self.raw, self.stores, self.roller.covered, self._zone)

    async def write(self, *points: Point, noted: bool = True) -> None:
        """Write readings; `noted`: through the cloud, which takes notice of what is late."""
        await self.raw.write(points)
        if noted:
            await self.roller.note(points)

    async def pass_to(self, hours: float) -> None:
        """Let the time be so many hours after midnight, and the roller look."""
        self.now_ms = at(hours)
        await self.roller.tick()

    async def rolled(self, level: Level, kinds: Iterable[str]) -> Rolled:
        """Return all that stands in a level of these measurements."""
        found: Rolled = {}
        for kind in kinds:
            for series in await self.stores[level].rows(kind, ALL):
                for index, time_ms in enumerate(series.times_ms):
                    row = {name: column[index] for name, column in series.fields.items()}
                    found[(kind, series.tags, time_ms)] = {
                        name: float(value) for name, value in row.items() if isinstance(value, float | int)
                    }
        return found

    async def of(self, level: Level, kind: str, node: str, hours: float) -> dict[str, float]:
        """Return the fields of one node's window."""
        found = await self.rolled(level, [kind])
        return next(
            (
                row
                for (_, tags, time_ms), row in found.items()
                if ("node", node) in tags and time_ms == at(hours)
            ),
            {},
        )


def embedded(folder: Path, zone: ZoneInfo = SHANGHAI) -> Any:
    """Return what makes the stores of levels, in files."""
    return lambda level: EmbeddedStore(folder / f"store{level.suffix}.db", timezone=zone)


def influxql(url: str) -> Any:
    """Return what makes the stores of levels, in the databases of a server."""
    return lambda level: InfluxQLStore(url, f"city{level.suffix}", timezone=SHANGHAI)


@asynccontextmanager
async def rolling(folder: Path, make: Any = None, **options: Any) -> AsyncIterator[City]:
    """Open a city over a folder, and close it."""
    registry = Registry(f"sqlite:///{folder / 'registry.db'}")
    await registry.open()
    city = City(folder, make or embedded(folder), registry, **options)
    stores = [city.raw, *city.stores.values()]
    for store in stores:
        await store.open()
    await city.roller.open()
    try:
        yield city
    finally:
        for store in stores:
            await store.close()
        await registry.close()
