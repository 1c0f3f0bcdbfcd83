"""The rim that posts: aiohttp here and nowhere else among the channels."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence

import aiohttp

from edge.channels.channel import Channel, ChannelError, HttpConfig
from edge.channels.exchange import Answer, Codec, Request, scrubbed
from edge.channels.limiter import Window
from edge.channels.message import Message
from edge.channels.tls import client_context, tls_trouble

MOST_ANSWER_BYTES = 65_536


class HttpChannel(Channel):
    """Posts what its codec encodes and lets it judge the answer. Redirects are not followed."""

    def __init__(
        self,
        config: HttpConfig,
        codec: Codec,
        windows: Sequence[Window],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        super().__init__(config, windows)
        self._config, self._codec, self._now_ms = config, codec, now_ms
        self._context = client_context(config.ca_file, config.name)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """End the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, message: Message) -> None:
        for attempt in range(1, self._config.attempts + 1):
            request = self._codec.request(message, self._now_ms())
            try:
                self._codec.judge(await self._post(request), self._now_ms())
            except ChannelError as error:
                wait_s = error.after_s or self._config.retry_delay_s * 2 ** (attempt - 1)
                if not error.retry or attempt == self._config.attempts or wait_s > self._config.timeout_s:
                    raise scrubbed(error, request) from None
                await asyncio.sleep(wait_s)
            else:
                return

    async def _post(self, request: Request) -> Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self._session.post(
                request.url,
                data=request.body,
                headers=request.headers,
                ssl=self._context,
                proxy=self._config.proxy or None,
                allow_redirects=False,
            ) as answer:
                body = await answer.content.read(MOST_ANSWER_BYTES)
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, body, headers)
        except aiohttp.ClientHttpProxyError as error:
            raise ChannelError(
                f"channel {self.name}: the proxy answers {error.status}",
                remedy="check proxy: its address, user and password, and whether it lets this machine out",
                retry=True,
            ) from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise tls_trouble(self.name, error.certificate_error) from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ssl.SSLError):
                raise tls_trouble(self.name, error.os_error) from None
            raise self._unreachable(error.os_error.strerror or type(error.os_error).__name__) from None
        except (
            aiohttp.ClientError,
            OSError,
        ) as error:  # their texts may hold the address: only the kind is told
            raise self._unreachable(type(error).__name__) from None

    def _unreachable(self, why: str) -> ChannelError:
        return ChannelError(
            f"channel {self.name}: the service cannot be reached: {why}",
            remedy="check name resolution, firewall and proxy from this machine",
            retry=True,
        )
