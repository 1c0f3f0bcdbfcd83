"""What is wrong with a store: asked step by step, each answer with its remedy. Nothing is written into it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from itertools import pairwise

from cloud.errors import StoreUnavailable
from cloud.stores.admin.plan import LEVELS
from cloud.stores.admin.server import Age, Answer, Server
from cloud.stores.admin.target import Target
from edge.protocol.store_http import Api, is_about_the_request, write_address

CLOCK_WITHIN_S = 5.0
NO_LINE = b"store-check"  # no store takes it: whoever refuses it as a line would have taken a good one
APIS: dict[Age, Api] = {Age.V1: "v1", Age.V2: "v2", Age.V3: "v3", Age.VICTORIA: "v1", Age.CITY: "v2"}
ALSO: dict[Age, tuple[Api, ...]] = {
    Age.V2: ("v1",),
    Age.V3: ("v1", "v2"),
    Age.VICTORIA: ("v2",),
    Age.CITY: ("v1",),
}
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class Verdict(StrEnum):
    """How a step went."""

    OK = "ok"
    WARNING = "warning"
    TROUBLE = "trouble"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One step: what was looked at, how it is, what to do."""

    step: str
    verdict: Verdict
    said: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return it for programs."""
        return asdict(self)


async def check_store(target: Target, now_s: float) -> list[Finding]:
    """Look at reach, kind, right to write and to read, retention and clock, in this order."""
    async with Server(target.url, username=target.username, secret=target.secret) as server:
        try:
            age, version, ping = await server.recognise()
        except StoreUnavailable as error:
            return [Finding(step="reach", verdict=Verdict.TROUBLE, said=error.message, remedy=error.remedy)]
        found = [
            Finding(step="reach", verdict=Verdict.OK, said=f"{server.url} answers"),
            _kind(age, version, target.api),
        ]
        if age is Age.UNKNOWN:
            return found
        found.append(await _write(server, target, target.api or APIS[age]))
        if target.reads and age not in (Age.VICTORIA, Age.CITY):
            found.append(await _read(server, target))
        found.append(await _retention(server, target, age))
        if target.rolls_up:
            found += await _levels(server, target, age)
        found.append(_clock(ping, now_s))
        return found


def _kind(age: Age, version: str, api: Api | None) -> Finding:
    said = f"{age}{f', version {version}' if version else ''}"
    if age is Age.UNKNOWN:
        return Finding(
            step="kind",
            verdict=Verdict.TROUBLE,
            said=said,
            remedy="does the url lead to the store, and not to a proxy?",
        )
    if api is not None and api != APIS[age] and api not in ALSO.get(age, ()):
        return Finding(
            step="kind",
            verdict=Verdict.TROUBLE,
            said=f'{said}; it has no api "{api}"',
            remedy=f'set api = "{APIS[age]}"',
        )
    if age is Age.VICTORIA:
        return Finding(
            step="kind",
            verdict=Verdict.WARNING,
            said=f"{said}: it says yes to every line, and drops in silence",
            remedy="use it in [mirror], beside a store that tells what it refuses",
        )
    return Finding(step="kind", verdict=Verdict.OK, said=said)


async def _write(server: Server, target: Target, api: Api) -> Finding:
    url, params = write_address(
        api, server.url, database=target.database, organisation=target.organisation, bucket=target.database
    )
    answer = await server.ask("POST", url.removeprefix(server.url), params=params, data=NO_LINE)
    name = repr(target.database)
    if answer.status == 204 or (answer.status in (400, 422) and not is_about_the_request(answer.words)):
        return Finding(step="write", verdict=Verdict.OK, said=f"it would take lines into {name}")
    remedy = {
        401: "check the token, or the user and password",
        403: f"give it the right to write into {name}: `cityneuron store setup` makes one that has it",
        404: f"make {name}: `cityneuron store setup`",
    }.get(answer.status, "see the server's log")
    said = f"it answers {answer.status} to a write: {answer.words[:200] or 'no words'}"
    return Finding(step="write", verdict=Verdict.TROUBLE, said=said, remedy=remedy)


async def _read(server: Server, target: Target) -> Finding:
    name = repr(target.database)
    wanted = [target.database + level for level in (LEVELS if target.rolls_up else ("",))]
    try:
        series = await server.query("SHOW DATABASES")
        known = {str(value) for part in series for row in part.get("values", []) for value in row}
        if missing := [database for database in wanted if database not in known]:
            return Finding(
                step="read",
                verdict=Verdict.TROUBLE,
                said=f"there is no {', '.join(map(repr, missing))} for InfluxQL;"
                f" there are: {', '.join(sorted(known)) or 'none'}",
                remedy="give the right to read it; or `cityneuron store setup` makes it (2.x: with its DBRP)",
            )
        await server.query("SHOW MEASUREMENTS LIMIT 1", target.database)
    except StoreUnavailable as error:
        return Finding(
            step="read",
            verdict=Verdict.TROUBLE,
            said=error.message,
            remedy=f"give this token or user the right to read {name}",
        )
    return Finding(step="read", verdict=Verdict.OK, said=f"it answers InfluxQL about {name}")


async def _retention(server: Server, target: Target, age: Age) -> Finding:
    days = await _kept_days(server, target.database, age)
    if days is None:
        return Finding(
            step="retention",
            verdict=Verdict.OK,
            said="how long it keeps readings cannot be asked with this right",
        )
    said = f"it keeps readings for {days:g} days" if days else "it keeps readings for ever"
    believed = target.retention_days
    if believed is not None and days and (not believed or believed > days):
        return Finding(
            step="retention",
            verdict=Verdict.WARNING,
            said=f"{said}, and the gateway believes {f'{believed:g} days' if believed else 'for ever'}",
            remedy=f"set [forward] retention_days = {days:g}: what is older then goes to quarantine",
        )
    return Finding(step="retention", verdict=Verdict.OK, said=said)


async def _levels(server: Server, target: Target, age: Age) -> list[Finding]:
    """Say which level is kept for less long than the finer one: its windows vanish before their readings."""
    name = target.database
    kept = [await _kept_days(server, name + level, age) for level in LEVELS]
    return [
        Finding(
            step="retention",
            verdict=Verdict.WARNING,
            said=f"it keeps {name}{level} for {days:g} days, less long than {name}{finer}",
            remedy=f"`cityneuron store setup --keep{level.replace('_', '-')}-days` changes it; 0 is for ever",
        )
        for (finer, longer), (level, days) in pairwise(zip(LEVELS, kept, strict=True))
        if days and longer is not None and (not longer or days < longer)
    ]


async def _kept_days(server: Server, database: str, age: Age) -> float | None:
    """Return how many days the store keeps readings, 0 for ever, None where it does not say."""
    if age is Age.V1:
        try:
            series = await server.query(f'SHOW RETENTION POLICIES ON "{database}"', database)
        except StoreUnavailable:
            return None
        rows = [dict(zip(part["columns"], row, strict=True)) for part in series for row in part["values"]]
        return next((hours_of(row["duration"]) / 24 for row in rows if row["default"]), None)
    if age is Age.V2:
        answer = await server.ask("GET", "/api/v2/buckets", params={"name": database})
        buckets = answer.json.get("buckets", []) if answer.ok and isinstance(answer.json, dict) else []
        rules = [rule for bucket in buckets for rule in bucket.get("retentionRules", [])]
        return sum(rule.get("everySeconds", 0) for rule in rules) / 86_400 if buckets else None
    return None


def hours_of(duration: str) -> float:
    """Read a duration as 1.x writes it: `720h0m0s`, or `0s` for ever."""
    found = _DURATION.fullmatch(duration)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    return hours + minutes / 60 + seconds / 3600


def _clock(answer: Answer, now_s: float) -> Finding:
    try:
        theirs_s = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except ValueError:
        return Finding(step="clock", verdict=Verdict.OK, said="it does not tell its time")
    apart_s = theirs_s - now_s
    if abs(apart_s) > CLOCK_WITHIN_S:
        return Finding(
            step="clock",
            verdict=Verdict.WARNING,
            said=f"its clock is {abs(apart_s):.0f} s {'ahead of' if apart_s > 0 else 'behind'} this machine's",
            remedy="let both follow the same NTP servers: retention and `now()` go by its clock",
        )
    return Finding(step="clock", verdict=Verdict.OK, said="its clock agrees with this machine's")
