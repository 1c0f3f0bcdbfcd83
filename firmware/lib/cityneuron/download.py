"""The bytes of a URL in order, over as many connections as it takes: a link that breaks costs no byte twice.

HTTP/1.1 with Range; nothing of it is trusted, what is read is judged by its signature and hashes. One buffer.
"""

import asyncio

from micropython import const

from cityneuron.errors import NodeError
from cityneuron.link import Backoff

_TIMEOUT_MS = const(20_000)
_TRIES = const(8)  # connections in a row that brought nothing
_LONGEST_LINE = const(256)
_MOST_HEADERS = const(48)


class DownloadError(NodeError):
    """The bytes cannot be had."""


def split_url(url):
    """Return (host, port, path) of an http URL, or raise DownloadError."""
    if not url.startswith("http://"):
        raise DownloadError("%s is no http address" % url[:64], "bundles are signed: http is enough")
    address, slash, path = url[7:].partition("/")
    host, colon, port = address.rpartition(":")
    if not colon:
        host, port = address, "80"
    if not host or not port.isdigit() or any(ord(char) <= 32 for char in url):
        raise DownloadError("%s is no http address" % url[:64], "give http://host:port/path")
    return host, int(port), slash + path or "/"


class Download:
    """seek() and readinto() as of a file; a read waits, asks again with back-off, and raises DownloadError."""

    def __init__(self, url, getrandbits, log, first_wait_ms=2_000, timeout_ms=_TIMEOUT_MS):
        self._host, self._port, self._resource = split_url(url)
        self._log = log
        self._timeout_ms = timeout_ms
        self._backoff = Backoff(first_wait_ms, 64 * first_wait_ms, getrandbits)
        self._stream = None
        self._line = memoryview(bytearray(_LONGEST_LINE))
        self._failures = 0
        self.at = 0

    async def seek(self, at):
        """Go on reading there."""
        if at != self.at:
            await self.close()
            self.at = at

    async def readinto(self, view):
        """Fill the whole of `view` with the next bytes."""
        done = 0
        while done < len(view):
            try:
                if self._stream is None:
                    await self._open()
                got = await asyncio.wait_for_ms(self._stream.readinto(view[done:]), self._timeout_ms)
                if got == 0:
                    raise OSError("the server hung up")
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                await self._pause(error)
                continue
            done += got or 0
            self.at += got or 0
            self._failures = 0
            self._backoff.reset()

    async def close(self):
        if self._stream is None:
            return
        stream, self._stream = self._stream, None
        try:
            stream.close()
            await stream.wait_closed()
        except OSError:
            pass  # it was broken already

    async def _pause(self, error):
        await self.close()
        self._failures += 1
        reason = str(error) or type(error).__name__
        if self._failures >= _TRIES:
            raise DownloadError(
                "%s:%d gives nothing: %s" % (self._host, self._port, reason), "check address and port"
            )
        self._log("download stopped at %d: %s; going on" % (self.at, reason))
        await asyncio.sleep_ms(self._backoff.wait_ms())

    async def _open(self):
        await asyncio.wait_for_ms(self._ask(), self._timeout_ms)

    async def _ask(self):
        self._stream, writer = await asyncio.open_connection(self._host, self._port)
        request = "GET %s HTTP/1.1\r\nHost: %s:%d\r\nRange: bytes=%d-\r\nConnection: close\r\n\r\n"
        writer.write((request % (self._resource, self._host, self._port, self.at)).encode())
        await writer.drain()
        status = await self._read_status()
        begins_at = await self._read_headers()
        if status == 206 and begins_at == self.at:
            return
        if status == 200:  # a server that knows no ranges
            await self._discard(self.at)
        elif status >= 500 or status in (408, 429):
            raise OSError("the server answers %d" % status)
        else:
            raise DownloadError("the server answers %d" % status, "is the bundle still there?")

    async def _read_status(self):
        words = (await self._read_line()).split()
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise DownloadError("no web server answers", "check address and port")
        return int(words[1])

    async def _read_headers(self):
        """Return where the bytes begin that follow; None when no header says so."""
        begins_at = None
        for _ in range(_MOST_HEADERS):
            line = (await self._read_line()).lower()
            if not line:
                return begins_at
            if line.startswith(b"transfer-encoding:") and b"chunked" in line:
                raise DownloadError("the server sends chunks", "serve the bundle as a file")
            if line.startswith(b"content-range: bytes "):
                begin = line[21:].split(b"-")[0]
                begins_at = int(begin) if begin.isdigit() else None
        raise DownloadError("the server sends more headers than allowed")

    async def _read_line(self):
        """Return a line without its end; of one that is too long the begin."""
        length = 0
        while True:
            last = self._line[length : length + 1]
            got = await self._stream.readinto(last)
            if got == 0:
                raise OSError("the server hung up")
            if got is None:
                continue
            if last[0] == 0x0A:
                return bytes(self._line[:length]).strip()
            length = min(length + 1, _LONGEST_LINE - 1)

    async def _discard(self, length):
        while length:
            got = await self._stream.readinto(self._line[: min(length, _LONGEST_LINE)])
            if got == 0:
                raise OSError("the server hung up")
            length -= got or 0
