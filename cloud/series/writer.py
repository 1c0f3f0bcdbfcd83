"""Writes the cloud's own series: statuses as they are now, episodes from where the last run came to.

A store that is away is waited for. A status that nobody took is old when the next is due, so it is let go;
episodes are read from the alerts' audit, whose steps are numbered, so none is left out however long it lasts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.alerts.desk import Desk
from cloud.alerts.view import unit
from cloud.board import Board
from cloud.levels import SeriesConfig
from cloud.patience import keep_at
from cloud.registry import Registry
from cloud.registry.alert_tables import AlertStepRow
from cloud.registry.level_tables import PositionRow
from cloud.series.episodes import episode_point
from cloud.series.status import Status, changed, status_of, status_point
from cloud.stores.apart import write_apart
from cloud.stores.protocol import Store

LOOK_EVERY_S = 2.0
STEPS_AT_ONCE = 500
POSITION = "episode_step"
TOLD = ("opened", "rose", "fell", "resolved", "reopened", "acknowledged", "closed")
"""The steps of an alert's life after which its point is written again."""
_log = logging.getLogger(__name__)


class SeriesWriter:
    """Keeps `node_status` and `episode` in the store; `run` does so until cancelled."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        board: Board,
        desk: Desk,
        trials: Collection[str],
        *,
        config: SeriesConfig,
        now_ms: Callable[[], int],
    ) -> None:
        self._store, self._registry, self._board, self._desk = store, registry, board, desk
        self._trials, self._config, self._now_ms = trials, config, now_ms
        self._told: dict[str, Status] = {}
        self._whole_ms = 0

    async def run(self) -> None:
        """Look every other second what is new."""
        await keep_at(self.tick, LOOK_EVERY_S, _log, "states and episodes are not written")

    async def tick(self) -> None:
        """Write the statuses that are due or changed, then the episodes that changed."""
        await self._statuses()
        while await self._episodes():
            pass

    async def _statuses(self) -> None:
        now_ms = self._now_ms()
        now = [
            status_of(node, self._board.of(node.id), now_ms, trial=node.id in self._trials)
            for node in self._desk.facts.nodes.values()  # the desk knows all that the registry has
        ]
        minute_ms = now_ms - now_ms % round(self._config.period_s * 1_000)
        whole = minute_ms > self._whole_ms
        due = now if whole else changed(self._told, now)
        if not due:
            return
        counts = (await self._registry.ledger()).nodes
        points = [
            status_point(status, self._board.of(status.node.id), counts.get(status.node.id), now_ms)
            for status in due
        ]
        await write_apart(self._store, points, _log)
        self._told = {status.node.id: status for status in now}
        self._whole_ms = minute_ms if whole else self._whole_ms

    async def _episodes(self) -> bool:
        """Write the episodes of the next steps; return whether there may be more."""
        steps = await self._registry.transact(_steps_after_position)
        if not steps:
            return False
        alerts = await self._desk.alerts({alert for _, alert, step in steps if step in TOLD})
        points = []
        for alert in alerts.values():
            episode = alert.episode
            node = self._desk.facts.nodes.get(episode.node)
            points.append(episode_point(alert, node, self._desk.labels(episode.rule), unit(episode.quantity)))
        await write_apart(self._store, points, _log)
        last = steps[-1][0]
        await self._registry.transact(lambda session: session.merge(PositionRow(name=POSITION, value=last)))
        return len(steps) == STEPS_AT_ONCE


def _steps_after_position(session: Session) -> list[tuple[int, int, str]]:
    row = session.get(PositionRow, POSITION)
    query = (
        select(AlertStepRow.id, AlertStepRow.alert, AlertStepRow.step)
        .where(AlertStepRow.id > (row.value if row is not None else 0))
        .order_by(AlertStepRow.id)
        .limit(STEPS_AT_ONCE)
    )
    return [(ident, alert, step) for ident, alert, step in session.execute(query)]
