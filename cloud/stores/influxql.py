"""The store that is an InfluxDB: 1.x, 2.x or 3.x, in the part of InfluxQL that all of them speak.

Only clauses of that part are used: one statement a request, no regular expressions, no functions of 1.x
alone. The mean of decibels is therefore worked out here, from the values themselves.
"""

import asyncio
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import aiohttp

from cloud.errors import StoreFull, StoreRejected, StoreUnavailable
from cloud.stores.protocol import (
    MS_PER_S,
    NS_PER_MS,
    RAW_LIMIT,
    SERIES_TAGS,
    Aggregate,
    Latest,
    Series,
    Span,
    Step,
    Values,
    latest_of,
    newest,
    series_tags,
)
from cloud.stores.windows import EnergyMean, first_window_ms
from edge.protocol.lines import Point, Tags
from edge.protocol.series import encode_point
from edge.protocol.store_http import is_about_the_request, words_of

LINES_A_REQUEST = 5_000
PARSE_IN_THREAD_BYTES = 256 * 1024
QUERY_TIMEOUT_S, CHECK_TIMEOUT_S = 30.0, 3.0
STORED = 204
_DAY_MS = 86_400_000
_BY_SERIES = ", ".join(f'"{tag}"' for tag in SERIES_TAGS)


class InfluxQLStore:
    """Store (see protocol.py) in one database of an InfluxDB server."""

    kind: ClassVar[str] = "influxql"

    def __init__(
        self, url: str, database: str, *, timezone: ZoneInfo, username: str = "", secret: str = ""
    ) -> None:
        self._url, self._database, self._timezone = url.rstrip("/"), database, timezone
        self._auth = aiohttp.BasicAuth(username, secret, "utf-8") if username else None
        self._headers = {"Authorization": f"Token {secret}"} if secret and not username else {}
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make a session; the server itself is first asked by the first question."""
        timeout = aiohttp.ClientTimeout(total=QUERY_TIMEOUT_S)
        self._session = aiohttp.ClientSession(auth=self._auth, headers=self._headers, timeout=timeout)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def check(self) -> bool:
        """Return whether the server answers a question about this database."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self._query("SHOW MEASUREMENTS LIMIT 1")
        except (StoreUnavailable, StoreRejected, TimeoutError):
            return False
        return True

    async def write(self, points: Sequence[Point]) -> None:
        """Send the points; the server decides whether a refused point takes the others of its request along."""
        for start in range(0, len(points), LINES_A_REQUEST):
            lines = [
                encode_point(point.measurement, dict(point.tags), dict(point.fields), point.time_ns)
                for point in points[start : start + LINES_A_REQUEST]
            ]
            params = {"db": self._database, "precision": "ns"}
            status, raw = await self._request("POST", "/write", params, "\n".join(lines).encode())
            if status != STORED:
                raise self._no_answer(f"{status} to a write", raw)

    async def latest(
        self, kinds: Collection[str] | None = None, node: str | None = None, since_ms: int | None = None
    ) -> list[Latest]:
        """Return the newest row of each node: one row, because several selectors would lose its time."""
        found: list[Latest] = []
        where = [] if node is None else [f'"node" = {_string(node)}']
        if since_ms is not None:
            where.append(f"time >= {since_ms}ms")
        condition = f"WHERE {' AND '.join(where)} " if where else ""
        for series in await self._query("SHOW MEASUREMENTS"):
            for (kind,) in series["values"]:
                if kinds is not None and kind not in kinds:
                    continue
                rows = await self._query(
                    f'SELECT *::field FROM {_name(kind)} {condition}GROUP BY "node" ORDER BY time DESC LIMIT 1'
                )
                found += [reading for row in rows if (reading := _reading(kind, row)) is not None]
        return newest(found)

    async def readings(
        self, kind: str, node: str, quantity: str, span: Span, step: Step | None = None
    ) -> Values:
        """Return a node's values, or one a window."""
        return await self._select(kind, node, quantity, span, step)

    async def summary(self, kind: str, quantity: str, span: Span, step: Step) -> Values:
        """Return one value a window over all nodes of a kind."""
        return await self._select(kind, None, quantity, span, step)

    async def count(self, kind: str, quantity: str, span: Span) -> int:
        """Return the number of values."""
        rows = await self._query(f"SELECT count({_name(quantity)}) FROM {_name(kind)} WHERE {_within(span)}")
        return int(sum(value for series in rows for _, value in series["values"]))

    async def rows(self, kind: str, span: Span) -> list[Series]:
        """Return all that was written of a kind."""
        found = await self._query(
            f"SELECT *::field FROM {_name(kind)} WHERE {_within(span)} GROUP BY {_BY_SERIES}"
        )
        return await asyncio.to_thread(lambda: [_rows(series) for series in found])

    async def amounts(self, kind: str, span: Span, step_s: int) -> dict[int, int]:
        """Return how many fields there are, window by window."""
        found = await self._query(
            f"SELECT count(*) FROM {_name(kind)} WHERE {_within(span)} "
            f"GROUP BY time({step_s}s) fill(none) tz({_string(self._timezone.key)})"
        )
        counted = {
            time_ns // NS_PER_MS: sum(count for count in counts if count)
            for series in found
            for time_ns, *counts in series["values"]
        }
        return {start_ms: count for start_ms, count in counted.items() if count}

    async def before(self, kind: str, quantity: str, span: Span) -> dict[Tags, float]:
        """Return the last value of each series."""
        found = await self._query(
            f"SELECT last({_name(quantity)}) FROM {_name(kind)} WHERE {_within(span)} GROUP BY {_BY_SERIES}"
        )
        return {
            series_tags(series.get("tags", {})): float(value)
            for series in found
            for _, value in series["values"]
            if isinstance(value, float | int)
        }

    async def prune(self, before_ms: int) -> None:
        """Do nothing: the database has its retention."""

    async def _select(
        self, kind: str, node: str | None, quantity: str, span: Span, step: Step | None
    ) -> Values:
        if step is not None and step.aggregate is Aggregate.ENERGY:
            return await self._energy(kind, node, quantity, span, step)
        chosen = "" if node is None else f'"node" = {_string(node)} AND '
        source = f"FROM {_name(kind)} WHERE {chosen}{_within(span)}"
        if step is None:
            query = f"SELECT {_name(quantity)} {source} LIMIT {RAW_LIMIT + 1}"
        else:
            query = (
                f"SELECT {step.aggregate.value}({_name(quantity)}) {source} "
                f"GROUP BY time({step.step_s}s) fill(none) tz({_string(self._timezone.key)})"
            )
        return [
            (time_ns // NS_PER_MS, value)
            for series in await self._query(query)
            for time_ns, value in series["values"]
            if value is not None
        ]

    async def _energy(self, kind: str, node: str | None, quantity: str, span: Span, step: Step) -> Values:
        """Average levels as energies, some windows at a time so that memory stays small."""
        step_ms = step.step_s * MS_PER_S
        first_ms = first_window_ms(span, step, self._timezone)
        means: Values = []
        for part in _parts(span, first_ms, step_ms):
            windows: dict[int, EnergyMean] = {}
            for time_ms, level_db in await self._select(kind, node, quantity, part, None):
                start_ms = first_ms + (time_ms - first_ms) // step_ms * step_ms
                windows.setdefault(start_ms, EnergyMean()).step(level_db)
            means += [(start, mean) for start, w in windows.items() if (mean := w.finalize()) is not None]
        return means

    async def _query(self, query: str) -> list[dict[str, Any]]:
        """Run one statement; return its series. Times are nanoseconds."""
        _, raw = await self._request("GET", "/query", {"db": self._database, "epoch": "ns", "q": query}, None)
        try:
            answer = (
                await asyncio.to_thread(json.loads, raw)
                if len(raw) > PARSE_IN_THREAD_BYTES
                else json.loads(raw)
            )
            (result,) = answer["results"]
            series: list[dict[str, Any]] = result.get("series", [])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._no_answer("what is no answer to a query", raw) from error
        if "error" in result:
            raise StoreUnavailable(f"{self._url} refused {query[:80]!r}: {result['error']}")
        if any(part.get("partial") for part in (result, *series)):
            raise StoreUnavailable(
                f"{self._url} answered {query[:80]!r} in part only",
                remedy="set max-row-limit = 0 in its [http]: what is left out of an answer cannot be counted",
            )
        return series

    def _no_answer(self, what: str, raw: bytes) -> StoreUnavailable:
        """A proxy, a page of maintenance, a login: whatever says 200 and is no store."""
        return StoreUnavailable(
            f"{self._url} answered {what}: {words_of(raw)[:80]!r}",
            remedy="does the url lead to the store, and not to a proxy?",
        )

    async def _request(
        self, method: str, path: str, params: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        if self._session is None:
            raise StoreUnavailable(f"the store {self._url} is not open")
        try:
            async with self._session.request(method, self._url + path, params=params, data=body) as reply:
                raw = await reply.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StoreUnavailable(
                f"{self._url} does not answer: {error or type(error).__name__}",
                remedy="is InfluxDB running there?",
            ) from error
        if reply.status >= 400:
            raise _refusal(self._url + path, reply.status, raw)
        return reply.status, raw


def _refusal(place: str, status: int, raw: bytes) -> StoreFull | StoreRejected | StoreUnavailable:
    message = words_of(raw)
    problem = f"{place} answered {status}: {message}"
    if "no space left" in message:
        return StoreFull(problem, remedy="free some space on the database's disk")
    if "file limit" in message:  # 3 Core
        return StoreUnavailable(problem, remedy="ask for less time at once: 3 Core reads some 72 hours")
    if status in (401, 403):
        return StoreUnavailable(problem, remedy="check the store's user, password or token")
    if status == 404:
        return StoreUnavailable(problem, remedy="check the store's address, and create the database")
    if status in (400, 422) and not is_about_the_request(message):
        return StoreRejected(problem)
    return StoreUnavailable(problem)


def _reading(kind: str, series: Mapping[str, Any]) -> Latest | None:
    node = series.get("tags", {}).get("node")
    if not node or not series.get("values"):
        return None
    row = dict(zip(series["columns"], series["values"][0], strict=True))
    time_ns = row.pop("time")
    return latest_of(node, kind, time_ns, {name: value for name, value in row.items() if value is not None})


def _rows(series: Mapping[str, Any]) -> Series:
    times, *columns = zip(*series["values"], strict=True)
    return Series(
        tags=series_tags(series.get("tags", {})),
        times_ms=[time_ns // NS_PER_MS for time_ns in times],
        fields=dict(zip(series["columns"][1:], columns, strict=True)),
    )


def _parts(span: Span, first_ms: int, step_ms: int) -> Iterator[Span]:
    """Yield the span in parts of about a day that end where windows end."""
    length_ms = max(1, _DAY_MS // step_ms) * step_ms
    start_ms = span.start_ms
    while start_ms < span.end_ms:
        end_ms = first_ms + ((start_ms - first_ms) // length_ms + 1) * length_ms
        yield Span(start_ms=start_ms, end_ms=min(end_ms, span.end_ms))
        start_ms = end_ms


def _within(span: Span) -> str:
    return f"time >= {span.start_ms}ms AND time < {span.end_ms}ms"


def _name(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"
