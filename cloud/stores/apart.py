"""Writing for those who must go on: what a store will never take is told and let go, the rest is written."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from cloud.errors import StoreRejected
from cloud.stores.protocol import Store
from edge.protocol.lines import Point


async def write_apart(store: Store, points: Sequence[Point], log: logging.Logger) -> None:
    """Write points, halving what is refused until what refuses stands alone. StoreUnavailable passes."""
    if not points:
        return
    try:
        await store.write(points)
    except StoreRejected as error:
        if len(points) == 1 or "retention" in error.message:  # too old: the others were stored all the same
            log.warning("of %d points of %s: %s", len(points), points[0].measurement, error)
            return
        half = len(points) // 2
        await write_apart(store, points[:half], log)
        await write_apart(store, points[half:], log)
