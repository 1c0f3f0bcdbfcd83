"""The tests' event loop: a machine that stands still is not a peer that is late."""

from __future__ import annotations

import asyncio
import time

import pytest


async def test_while_the_machine_stands_still_no_limit_passes() -> None:
    loop = asyncio.get_running_loop()
    said, began_s = loop.create_future(), loop.time()
    async with asyncio.timeout(0.1):
        loop.call_soon(time.sleep, 0.3)
        loop.call_later(0.01, said.set_result, "an answer")
        assert await said == "an answer"
    assert loop.time() - began_s < 0.1


async def test_a_limit_passes_when_nothing_happens_and_no_sooner() -> None:
    began_s = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.Event().wait()
    assert time.monotonic() - began_s >= 0.1
