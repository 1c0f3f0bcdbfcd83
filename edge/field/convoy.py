"""One board after another from a table: the engineer plugs in, the tool goes on where it ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from rich.console import Console
from rich.text import Text

from edge.field.cloud import CloudApi
from edge.field.diagnosis import FieldError, Symptom
from edge.field.offline import OfflineBundle
from edge.field.provision import CloudTool, Job, Provision
from edge.field.screen import CourseScreen, print_json, show_error
from edge.field.stages import Course, Stage
from edge.field.table import Outcome, Outcomes, Row
from edge.field.toolbox import Toolbox

NEXT_BOARD_WITHIN_S = 600.0
_STOPS = frozenset({Symptom.CLOUD_AWAY, Symptom.TOKEN_REFUSED, Symptom.NO_IMAGE, Symptom.NO_IDENTITY_LEFT})
"""What would fail every further row as well."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Convoy:
    """A table on its way."""

    rows: list[Row]
    outcomes: Outcomes
    job: Job
    tools: Toolbox
    cloud: CloudApi | None
    bundle: OfflineBundle | None
    console: Console
    as_json: bool = False
    ask: Callable[[], str] = sys.stdin.readline


async def run_convoy(convoy: Convoy) -> int:
    """Provision every row that is not done; return 0 when all are, else 1."""
    waiting = [row for row in convoy.rows if not _done(convoy, row)]
    ready = len(convoy.rows) - len(waiting)
    convoy.console.print(
        f"{len(convoy.rows)} nodes: {ready} done before, {len(waiting)} to do", highlight=False
    )
    async with AsyncExitStack() as stack:
        cloud = None if convoy.cloud is None else await stack.enter_async_context(convoy.cloud)
        for number, row in enumerate(waiting, start=1):
            outcome, stop = await _row(convoy, row, cloud, f"{number} of {len(waiting)}")
            convoy.outcomes.add(outcome)
            if convoy.as_json:
                print_json(outcome.to_dict())
            if stop:
                break
    failed = [row for row in convoy.rows if not _done(convoy, row)]
    _sum_up(convoy, failed)
    return 1 if failed else 0


async def _row(convoy: Convoy, row: Row, cloud: CloudTool | None, place: str) -> tuple[Outcome, bool]:
    if not row.port:
        convoy.console.print(
            Text.assemble((f"\n{place}: {row.key}", "bold"), "  plug in its board, press Enter")
        )
        await asyncio.to_thread(convoy.ask)
    show = CourseScreen(convoy.console, f"{place}: {row.key}")
    tools = convoy.tools
    course = Course(tuple(Stage), tools.clock, show.changed)
    port, taken = row.port or convoy.job.handling.port, frozenset(convoy.outcomes.serials())
    handling = replace(convoy.job.handling, port=port, taken=taken)
    job = replace(convoy.job, order=row.order, handling=handling)
    try:
        with show.showing():
            done = await Provision(job, tools, course, cloud, convoy.bundle).run()
    except FieldError as error:
        show_error(convoy.console, error)
        failure = Outcome(
            key=row.key, ok=False, node=row.order.id, seconds=course.seconds, time_ms=tools.now_ms(),
            error=error.to_dict(),
        )  # fmt: skip
        return failure, error.symptom in _STOPS
    return Outcome(
        key=row.key, ok=True, node=done.node, serial=done.serial, seconds=done.seconds, time_ms=tools.now_ms()
    ), False


def _done(convoy: Convoy, row: Row) -> bool:
    outcome = convoy.outcomes.of(row)
    return outcome is not None and outcome.ok


def _sum_up(convoy: Convoy, failed: list[Row]) -> None:
    console = convoy.console
    console.print(f"\n{len(convoy.rows) - len(failed)} of {len(convoy.rows)} nodes are done", highlight=False)
    for row in failed:
        outcome = convoy.outcomes.of(row)
        why = (
            f"{outcome.error['stage']}: {outcome.error['cause']}"
            if outcome and outcome.error
            else "not yet tried"
        )
        console.print(f"  ✗ {row.key}  {why}", highlight=False, markup=False)
    if failed:
        console.print(f"run it again: it goes on with these ({convoy.outcomes.path.name})", highlight=False)
