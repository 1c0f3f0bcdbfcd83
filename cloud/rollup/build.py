"""From the configuration to the parts of the roll-ups: the stores of the levels, the roller, the reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cloud.config import CloudConfig
from cloud.levels import ROLLED, Level
from cloud.registry import Registry
from cloud.rollup.reader import Reader
from cloud.rollup.records import Records
from cloud.rollup.roller import Roller
from cloud.stores import STORES
from cloud.stores.protocol import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollups:
    """The parts; `stores` is empty and `roller` None where the configuration wants no roll-ups."""

    stores: dict[Level, Store]
    roller: Roller | None
    reader: Reader

    async def open(self) -> None:
        """Open the stores of the levels, and know how far they are."""
        for store in self.stores.values():
            await store.open()
        if self.roller is not None:
            await self.roller.open()

    async def close(self) -> None:
        """Close the stores of the levels."""
        for store in self.stores.values():
            await store.close()


def build_rollups(config: CloudConfig, raw: Store, registry: Registry, now_ms: Callable[[], int]) -> Rollups:
    """Return the parts for a city whose raw values are in `raw`."""
    zone = config.timezone
    if not config.rollup.enabled:
        return Rollups(stores={}, roller=None, reader=Reader(raw, {}, None, zone))
    stores = {level: STORES[config.store.kind](config.at(level)) for level in ROLLED}
    roller = Roller(
        raw, stores, Records(registry), config=config.rollup, keep=config.keep, zone=zone, now_ms=now_ms
    )
    return Rollups(stores=stores, roller=roller, reader=Reader(raw, stores, roller.covered, zone))
