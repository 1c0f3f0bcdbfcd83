"""How programs of the project start, stop and speak of their errors on a command line."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from typing import Any

from edge.model.errors import CityError


async def run_service(service: Coroutine[Any, Any, None], *, for_s: float | None = None) -> None:
    """Run a service until it ends, `for_s` seconds pass, or SIGINT or SIGTERM cancels it cleanly.

    The first CityError within a group of errors is raised alone, so that it can become one line of advice.
    """
    task = asyncio.ensure_future(service)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        with one_error(), contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(for_s):
                await task
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def one_error() -> Iterator[None]:
    """Raise the first CityError within a group of errors alone, so that it can become one line of advice."""
    try:
        yield
    except BaseExceptionGroup as group:
        found = first_city_error(group)
        if found is None:
            raise
        raise found from None


def first_city_error(group: BaseExceptionGroup[BaseException]) -> CityError | None:
    """Return the first error within a group that people can act upon."""
    for error in group.exceptions:
        if isinstance(error, CityError):
            return error
        if isinstance(error, BaseExceptionGroup) and (found := first_city_error(error)):
            return found
    return None
