"""The rim that writes syslog: a datagram, or a connection a message, over TCP or TLS."""

from __future__ import annotations

import asyncio
import ssl
import time

from edge.channels.channel import Channel, ChannelError
from edge.channels.message import Message
from edge.channels.syslog import PORTS, SyslogConfig, check, encode, framed
from edge.channels.tls import client_context, tls_trouble

_REFUSAL_WITHIN_S = 0.2  # a host that has no such port says so at once, if anybody lets it


class SyslogChannel(Channel):
    """Writes to one collector. Syslog acknowledges nothing: all that can be known is that the link stood."""

    def __init__(self, config: SyslogConfig) -> None:
        check(config)
        super().__init__(config, ())
        self._config = config
        self._port = config.port or PORTS[config.transport]
        self._context = client_context(config.ca_file, config.name) if config.transport == "tls" else None

    async def close(self) -> None:
        """Nothing stays open."""

    async def _send(self, message: Message) -> None:
        line = encode(message, self._config, time.time_ns() // 1_000_000)
        try:
            if self._config.transport == "udp":
                await self._datagram(line)
            else:
                await self._stream(framed(line))
        except TimeoutError:
            raise  # told by `send`
        except ssl.SSLError as error:
            raise tls_trouble(self.name, error) from None
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ChannelError(
                f"channel {self.name}: the collector cannot be reached: {why}",
                remedy="check host, port, transport and firewall",
                retry=True,
            ) from None

    async def _stream(self, data: bytes) -> None:
        _, writer = await asyncio.open_connection(self._config.host, self._port, ssl=self._context)
        try:
            writer.write(data)
            await writer.drain()
        finally:
            writer.close()
        await writer.wait_closed()

    async def _datagram(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        transport, refusal = await loop.create_datagram_endpoint(
            _Refusal, remote_addr=(self._config.host, self._port)
        )
        try:
            transport.sendto(data)
            async with asyncio.timeout(_REFUSAL_WITHIN_S) as quiet:
                await refusal.came.wait()
        except TimeoutError:
            if not quiet.expired():
                raise
        else:
            raise refusal.error
        finally:
            transport.close()


class _Refusal(asyncio.DatagramProtocol):
    """Waits for the word (ICMP) that nobody listens there."""

    def __init__(self) -> None:
        self.came = asyncio.Event()
        self.error: OSError = ConnectionRefusedError()

    def error_received(self, exc: Exception) -> None:
        """Called with what the network says."""
        if isinstance(exc, OSError):
            self.error = exc
        self.came.set()
