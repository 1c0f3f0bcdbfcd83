"""Work that is done again and again, and waits for a store that is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from cloud.errors import CloudError


async def keep_at(
    tick: Callable[[], Awaitable[None]], every_s: float, log: logging.Logger, trouble: str
) -> None:
    """Call `tick` every so often until cancelled; a failure is told once, as `trouble`, until it changes."""
    told = ""
    while True:
        try:
            await tick()
            told = ""
        except CloudError as error:
            if str(error) != told:
                log.warning("%s: %s", trouble, error)
            told = str(error)
        await asyncio.sleep(every_s)
