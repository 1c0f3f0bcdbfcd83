"""Tasks end when told, also those that do not hear it at first."""

from __future__ import annotations

import asyncio

from edge.tasks import end


async def test_a_task_that_lost_its_cancellation_is_told_again() -> None:
    answered = asyncio.get_running_loop().create_future()

    async def works_on() -> None:
        await asyncio.wait_for(answered, 30)  # both come in one turn: Python 3.11 keeps the answer only
        await asyncio.Event().wait()

    task = asyncio.create_task(works_on())
    await asyncio.sleep(0)
    answered.set_result(None)
    (outcome,) = await end(task)
    assert isinstance(outcome, asyncio.CancelledError)


async def test_every_task_says_what_it_ended_with() -> None:
    async def fails() -> None:
        raise ValueError("broken")

    async def returns() -> int:
        return 7

    tasks = [asyncio.create_task(fails()), asyncio.create_task(returns())]
    await asyncio.sleep(0)
    failed, returned = await end(*tasks)
    assert isinstance(failed, ValueError) and returned == 7


async def test_no_tasks_are_ended_at_once() -> None:
    assert await end() == []
