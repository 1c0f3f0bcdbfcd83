"""The link to the cloud: fetches the roster, reports ledger, quarantine and health. Readings do not need it."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp

from edge.config import read_secret
from edge.model.errors import CityError
from edge.model.node import Node
from gateway import relay
from gateway.account import Counts
from gateway.journal import Journal
from gateway.relay import Relay
from gateway.roster import Roster

log = logging.getLogger(__name__)

ENTRIES_A_REPORT = 200
NODES_A_REPORT = 20_000
BIRTHS_A_REPORT = 2_000
REPLIES_A_REPORT = 200
FIRST_ROSTER_WITHIN_S = 5.0
TROUBLES = (aiohttp.ClientError, TimeoutError, OSError, ValueError, CityError)


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudConfig:
    """The [cloud] table of gateway.toml."""

    url: str = ""
    token_file: Path | None = None
    report_period_s: float = 2.0
    roster_period_s: float = 10.0


class Uplink:
    """Talks to the cloud's API. What cannot be delivered now is later: reports are states, not events."""

    def __init__(
        self,
        config: CloudConfig,
        gateway: str,
        journal: Journal,
        roster: Roster,
        commands: Relay,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._commands = commands
        self._commands.has_cloud = True
        self._base = f"{config.url.rstrip('/')}/api/v1/gateways/{gateway}"
        self._config = config
        self._journal = journal
        self._roster = roster
        self._now = now
        token = read_secret(config.token_file)
        self._headers = {"Authorization": f"Token {token}"} if token else {}
        self._etag = ""
        self._told: dict[str, Counts] = {}
        self._told_entry = 0
        self.trouble = ""

    async def begin(self, on_roster: Callable[[], None]) -> None:
        """Fetch the roster before the first message is taken; if that fails, last time's roster serves."""
        try:
            async with self._session() as session, asyncio.timeout(FIRST_ROSTER_WITHIN_S):
                await self._fetch_roster(session, on_roster)
        except TROUBLES as error:
            self._ill(f"{type(error).__name__}: {error}")

    async def run(
        self,
        accounts: Callable[[], tuple[Counts, dict[str, Counts]]],
        health: Callable[[], Mapping[str, Any]],
        on_roster: Callable[[], None],
    ) -> None:
        """Fetch and report until cancelled."""
        async with self._session() as session:
            roster_due_s = 0.0
            while True:
                try:
                    if time.monotonic() >= roster_due_s:
                        await self._fetch_roster(session, on_roster)
                        roster_due_s = time.monotonic() + self._config.roster_period_s
                    await self._report(session, *accounts(), health())
                    self._well()
                except TROUBLES as error:
                    self._ill(f"{type(error).__name__}: {error}")
                await asyncio.sleep(self._config.report_period_s)

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers=self._headers, timeout=aiohttp.ClientTimeout(total=20))

    async def _fetch_roster(self, session: aiohttp.ClientSession, on_roster: Callable[[], None]) -> None:
        async with session.get(f"{self._base}/nodes", headers={"If-None-Match": self._etag}) as answer:
            if answer.status == 304:
                return
            answer.raise_for_status()
            rows = (await answer.json())["nodes"]
            etag = answer.headers.get("ETag", "")
        nodes = [Node.from_dict(row) for row in rows]
        await self._journal.save_roster({node.id: json.dumps(node.to_dict()) for node in nodes})
        self._roster.replace(nodes)
        self._etag = etag
        on_roster()

    async def _report(
        self,
        session: aiohttp.ClientSession,
        total: Counts,
        accounts: dict[str, Counts],
        health: Mapping[str, Any],
    ) -> None:
        entries = await self._journal.quarantine_after(self._told_entry, ENTRIES_A_REPORT)
        untold = (row for row in accounts.items() if self._told.get(row[0]) is not row[1])
        changed = dict(islice(untold, NODES_A_REPORT))
        answers = await self._journal.run(lambda db: relay.waiting(db, REPLIES_A_REPORT))
        births, sent = self._commands.news(BIRTHS_A_REPORT)
        body = {
            "time_ms": round(self._now() * 1000),
            "ledger": {
                "total": total.to_dict(),
                "nodes": [{"node": node, **counts.to_dict()} for node, counts in changed.items()],
            },
            "quarantine": [_told(entry) for entry in entries],
            "health": health,
            "births": [born._asdict() for born in births],
            "replies": [*sent, *(answer.to_dict() for answer in answers)],
        }
        async with session.put(f"{self._base}/report", json=body) as answer:
            if answer.status >= 400:
                raise CityError(f"the cloud answers {answer.status}: {(await answer.text())[:200]}")
            commands = (await answer.json()).get("commands", ())
        self._commands.told(births, sent)
        if answers:
            await self._journal.write(lambda db: relay.remove(db, answers))
        self._commands.renew(commands)
        self._told |= changed
        if entries:
            self._told_entry = entries[-1]["id"]

    def _well(self) -> None:
        if self.trouble:
            log.info("the cloud takes reports again")
        self.trouble = ""

    def _ill(self, words: str) -> None:
        if not self.trouble:
            log.warning(
                "no report to the cloud: %s; tried again every %g s", words, self._config.report_period_s
            )
        self.trouble = words


def _told(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a quarantined entry as the cloud's API takes it."""
    told = {name: value for name, value in entry.items() if name != "payload"}
    return {**told, "payload_base64": base64.b64encode(entry["payload"]).decode()}
