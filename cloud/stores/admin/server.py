"""One server behind a URL: asked over HTTP, and recognised by what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp

from cloud.errors import StoreUnavailable
from edge.protocol.store_http import words_of

TIMEOUT_S = 10.0


class Age(StrEnum):
    """What kind of server it is."""

    V1 = "InfluxDB 1.x"
    V2 = "InfluxDB 2.x"
    V3 = "InfluxDB 3.x"
    VICTORIA = "VictoriaMetrics"
    CITY = "City Neuron's own store"
    UNKNOWN = "no store that is known here"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def ok(self) -> bool:
        """Whether the server did what it was asked to."""
        return self.status < 300

    @property
    def words(self) -> str:
        """What it says, in its own words."""
        return words_of(self.raw)

    @property
    def json(self) -> Any:
        """The body, parsed; None where it is no JSON."""
        try:
            return json.loads(self.raw)
        except ValueError:
            return None


class Server:
    """Asks one server; a `with` block holds its connections."""

    def __init__(self, url: str, *, username: str = "", secret: str = "") -> None:
        self.url = url.rstrip("/")
        self._headers = {}
        if username:
            self._headers["Authorization"] = aiohttp.encode_basic_auth(username, secret)
        elif secret:
            self._headers["Authorization"] = f"Token {secret}"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Server:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """Send a request; StoreUnavailable where nothing comes back."""
        assert self._session is not None
        try:
            async with self._session.request(method, self.url + path, **options) as reply:
                return Answer(status=reply.status, headers=reply.headers, raw=await reply.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StoreUnavailable(
                f"{self.url} does not answer: {error or type(error).__name__}",
                remedy="check the address, that the server runs, and that nothing stands in between",
            ) from None

    async def query(self, q: str, database: str = "") -> list[dict[str, Any]]:
        """Run one statement of InfluxQL; return its series; StoreUnavailable has the server's words."""
        method = "GET" if q.startswith(("SHOW ", "SELECT ")) else "POST"
        answer = await self.ask(method, "/query", params={"q": q, **({"db": database} if database else {})})
        results = answer.json.get("results", []) if isinstance(answer.json, dict) else []
        error = next((result["error"] for result in results if "error" in result), None)
        if not answer.ok or error:
            raise StoreUnavailable(f"{self.url} answers {answer.status} to {q!r}: {error or answer.words}")
        return [series for result in results for series in result.get("series", [])]

    async def recognise(self) -> tuple[Age, str, Answer]:
        """Return what the server is, its version, and its answer to a ping (with its clock).

        3.x asks for a token even here. VictoriaMetrics calls itself an InfluxDB 1.8 when it is asked InfluxQL,
        not when it is pinged. Versions look like `1.6.7~rc0`, `v2.7.1`, `3.2.0`.
        """
        ping = await self.ask("GET", "/ping")
        version = ping.headers.get("X-Influxdb-Version", "").removeprefix("v")
        for start, age in (("1.", Age.V1), ("2.", Age.V2), ("3.", Age.V3)):
            if version.startswith(start):
                return age, version, ping
        if "X-Server-Hostname" in ping.headers:
            return Age.VICTORIA, "", ping
        if ping.status in (401, 403):
            return Age.V3, "", ping
        health = await self.ask("GET", "/api/v1/health")
        if isinstance(health.json, dict) and "timezone" in health.json:
            return Age.CITY, str(health.json.get("version", "")), health
        return Age.UNKNOWN, "", ping
