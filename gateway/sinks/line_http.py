"""Line protocol over HTTP: InfluxDB 1.x (`/write`), 2.x, 3.x and the embedded store (`/api/v2/write`)."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import aiohttp

from edge.config import read_secret
from edge.model.errors import ConfigError
from gateway.sinks import SinkRejected, SinkUnavailable

GZIP_FROM_BYTES = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreConfig:
    """The [store] table of gateway.toml."""

    url: str = "http://127.0.0.1:8086"
    api: Literal["v1", "v2"] = "v2"
    database: str = "city"
    retention_policy: str = ""
    organisation: str = "city"
    bucket: str = "city"
    username: str = ""
    password_file: Path | None = None
    token_file: Path | None = None
    gzip: bool = False
    timeout_s: float = 30.0


class LineHttpSink:
    """Writes lines to one database or bucket."""

    def __init__(self, config: StoreConfig) -> None:
        parts = urlsplit(config.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"[store] url: {config.url!r}", remedy="write http://host:8086")
        base = config.url.rstrip("/")
        if config.api == "v1":
            self._url = f"{base}/write"
            self._query = {"db": config.database, "precision": "ns"}
            if config.retention_policy:
                self._query["rp"] = config.retention_policy
        else:
            self._url = f"{base}/api/v2/write"
            self._query = {"org": config.organisation, "bucket": config.bucket, "precision": "ns"}
        self._headers = {"Content-Type": "text/plain; charset=utf-8"}
        token = read_secret(config.token_file)
        if token:
            self._headers["Authorization"] = f"Token {token}"
        if config.username:
            password = read_secret(config.password_file) or ""
            self._headers["Authorization"] = aiohttp.encode_basic_auth(config.username, password)
        self._gzip = config.gzip
        self._timeout = aiohttp.ClientTimeout(total=config.timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def write(self, body: bytes) -> None:
        """Store lines, joined by line ends, or raise SinkUnavailable or SinkRejected."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        headers = self._headers
        if self._gzip and len(body) >= GZIP_FROM_BYTES:
            body = gzip.compress(body, 1)
            headers = {**headers, "Content-Encoding": "gzip"}
        try:
            async with self._session.post(self._url, params=self._query, data=body, headers=headers) as answer:
                words = "" if answer.status == 204 else (await answer.text(errors="replace"))[:2000]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SinkUnavailable(
                f"the store {self._url} does not answer: {type(error).__name__} {error}",
                remedy="readings are kept; check that it runs and can be reached",
            ) from None
        _judge(answer.status, words, answer.headers.get("Retry-After"), self._url)

    async def close(self) -> None:
        """End the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _judge(status: int, words: str, retry_after: str | None, url: str) -> None:
    """Return if the lines are stored, or raise what the answer means.

    400 and 422 are about lines; 413 about their number. All else is about the store or the way to it, and
    says nothing against the lines. Source: InfluxDB HTTP API of 1.x, 2.x and 3.x.
    """
    if status in (200, 204):
        return
    if status in (400, 413, 422):
        raise SinkRejected(f"{status}: {words.strip() or 'no words'}")
    remedy = {
        401: "check the token or the user and password",
        403: "give the token write access to the bucket",
        404: "create the database or bucket, or check its name",
    }.get(status, "readings are kept; the store's own log says more")
    wait_s = float(retry_after) if retry_after and retry_after.isdigit() else None
    raise SinkUnavailable(
        f"the store {url} answers {status}: {words.strip()[:200]}", remedy=remedy, retry_after_s=wait_s
    )
