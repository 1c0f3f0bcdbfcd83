"""How tasks are ended, and how one is not ended in the middle."""

from __future__ import annotations

import asyncio
from typing import Any

_AGAIN_S = 2.0


async def whole(task: asyncio.Future[Any]) -> bool:
    """Wait until a task is done, also when who waits is cancelled meanwhile; return whether that was so."""
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


async def end(*tasks: asyncio.Task[Any]) -> list[Any]:
    """Cancel tasks and return what each ended with: a result or an exception.

    asyncio.wait_for of Python 3.11, by which aiomqtt waits for acknowledgements, loses a cancellation that
    comes in the same turn of the loop as what it waits for (CPython 86296); the task then works on. So it is
    cancelled again until it hears.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_S)
    return await asyncio.gather(*tasks, return_exceptions=True)
