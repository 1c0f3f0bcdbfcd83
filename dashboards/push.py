"""Boards and alerting -> a running Grafana: the steps of the plan, taken."""

from __future__ import annotations

from collections.abc import Iterator

from dashboards import plan, plan_alerting
from dashboards.boards import boards
from dashboards.check.files import Files
from dashboards.grafana import Grafana
from dashboards.plan import FOLDER_UID, Step

FOLDER = "City Neuron"


def steps(grafana: Grafana, folder: str, alerting: Files | None, *, force: bool) -> Iterator[Step]:
    """Look at Grafana and say what pushing would do; each step is taken, or not, before the next one looks."""
    yield plan.folder(grafana, FOLDER_UID, folder)
    contents = [board.to_dict() for board in boards()]
    yield from plan.boards(grafana, contents, force=force)
    yield from plan.left_over(grafana, contents)
    if alerting is not None:
        for uid, title in plan_alerting.folders(alerting, folder).items():
            if uid != FOLDER_UID:
                yield plan.folder(grafana, uid, title)
        yield from plan_alerting.alerting(grafana, alerting, folder, force=force)


def push(
    grafana: Grafana, folder: str = FOLDER, alerting: Files | None = None, *, force: bool = False
) -> Iterator[Step]:
    """Take the steps one by one. What is the same is not written, what people changed is kept."""
    for step in steps(grafana, folder, alerting, force=force):
        if step.take is not None:
            step.take()
        yield step


def diff(
    grafana: Grafana, folder: str = FOLDER, alerting: Files | None = None, *, force: bool = False
) -> list[Step]:
    """Say what `push` would do, and write nothing."""
    return list(steps(grafana, folder, alerting, force=force))
