"""Line protocol over HTTP: InfluxDB 1.x, 2.x, 3.x, VictoriaMetrics, the embedded store: by configuration."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from edge.config import read_secret
from edge.model.errors import ConfigError
from edge.protocol.store_http import Api, write_address
from gateway.sinks import SinkRejected, SinkUnavailable
from gateway.sinks.answers import judge

GZIP_FROM_BYTES = 4096
MOST_BODY_BYTES = 8 * 1024 * 1024
"""3 Core takes 10 MB unless told otherwise. Beyond 25 MB 1.x breaks the connection without a word."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreConfig:
    """The [store] table of gateway.toml."""

    url: str = "http://127.0.0.1:8086"
    api: Api = "v2"
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

    def __init__(self, config: StoreConfig, table: str = "store") -> None:
        parts = urlsplit(config.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"[{table}] url: {config.url!r}", remedy="write http://host:8086")
        for name in ("organisation", "bucket") if config.api == "v2" else ("database",):
            if not getattr(config, name):
                raise ConfigError(f"[{table}] {name} is empty", remedy=f'api = "{config.api}" needs it')
        self._url, self._query = write_address(
            config.api,
            config.url,
            database=config.database,
            organisation=config.organisation,
            bucket=config.bucket,
        )
        if config.api == "v1" and config.retention_policy:
            self._query["rp"] = config.retention_policy
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
        if len(body) > MOST_BODY_BYTES:
            raise SinkRejected(f"413: {len(body)} bytes are more than stores take at once")
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        headers = self._headers
        if self._gzip and len(body) >= GZIP_FROM_BYTES:
            body = gzip.compress(body, 1)
            headers = {**headers, "Content-Encoding": "gzip"}
        try:
            async with self._session.post(self._url, params=self._query, data=body, headers=headers) as answer:
                raw = b"" if answer.status == 204 else await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SinkUnavailable(
                f"the store {self._url} does not answer: {type(error).__name__} {error}",
                remedy="readings are kept; check that it runs and can be reached",
            ) from None
        judge(answer.status, raw, answer.headers.get("Retry-After"), self._url)

    async def close(self) -> None:
        """End the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
