"""The bad line does what it says, or the faults would be none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from faults.proxy import Proxy

Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def line() -> AsyncIterator[Proxy]:
    """A line to a server that says everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    await proxy.start()
    try:
        async with asyncio.timeout(20):
            yield proxy
    finally:
        await proxy.close()
        server.close()


@asynccontextmanager
async def talking(line: Proxy) -> AsyncIterator[Talk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def say(talk: Talk, words: bytes) -> bytes:
    talk[1].write(words)
    return await talk[0].readexactly(len(words))


async def test_a_sound_line_carries_everything(line: Proxy) -> None:
    async with talking(line) as talk:
        assert await say(talk, b"stage" * 50_000) == b"stage" * 50_000


async def test_a_cut_breaks_what_stands_and_refuses_the_rest_until_it_is_healed(line: Proxy) -> None:
    async with talking(line) as talk:
        await say(talk, b"one")
        line.cut()
        with pytest.raises(ConnectionError):
            await talk[0].readexactly(1)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        async with talking(line) as talk:
            await talk[0].readexactly(1)
    line.heal()
    async with talking(line) as talk:
        assert await say(talk, b"again") == b"again"


async def test_a_half_open_line_takes_all_and_delivers_nothing(line: Proxy) -> None:
    async with talking(line) as old:
        await say(old, b"one")
        line.half_open()
        async with talking(line) as new:
            for talk in (old, new):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await say(talk, b"two")
            line.heal()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await old[0].readexactly(1)


async def test_a_late_line_is_late_and_a_slow_one_slow(line: Proxy) -> None:
    loop = asyncio.get_running_loop()
    async with talking(line) as talk:
        line.line.late_s = 0.1
        began_s = loop.time()
        assert await say(talk, b"x") == b"x"
        assert loop.time() - began_s >= 0.2  # there and back
        line.heal()
        line.line.bytes_per_s = 10_000
        began_s = loop.time()
        assert await say(talk, bytes(4_000)) == bytes(4_000)
        assert loop.time() - began_s >= 0.3
