"""The MQTT source over TLS: readings come through, and a broker that nobody vouches for is not spoken to."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from edge.protocol.topics import UP_LEAVES
from gateway.arrival import Inbox
from gateway.sources.mqtt import MqttConfig, MqttSource

MESSAGE = b"\x32\x18\x00\x10cn/v1/ys-07/data\x04\xd2word"
WITHIN_S = 20.0


@asynccontextmanager
async def broker(certificate: Path, heard: asyncio.Queue[bytes]) -> AsyncIterator[str]:
    """A broker behind TLS that grants all, sends one message and keeps what it hears after it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for answer in (b"\x20\x02\x00\x00", b"\x90\x07\x00\x01" + b"\x01" * len(UP_LEAVES) + MESSAGE):
                await reader.read(1000)
                writer.write(answer)
            while data := await reader.read(1000):
                heard.put_nowait(data)
        finally:
            writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"mqtts://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_a_message_over_tls_is_taken_and_acknowledged(certificate: Path) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    async with asyncio.timeout(WITHIN_S), broker(certificate, heard) as url:
        inbox = Inbox(10)
        source = MqttSource(MqttConfig(url=url, ca_file=certificate), "gw-01", inbox)
        job = asyncio.create_task(source.run())
        (arrival,) = await inbox.take(10)
        assert (arrival.topic, arrival.payload) == ("cn/v1/ys-07/data", b"word")
        source.settle([arrival])
        assert await heard.get() == b"\x40\x02\x04\xd2"
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        assert await heard.get() == b"\xe0\x00"


async def test_a_broker_that_nobody_vouches_for_is_not_spoken_to(certificate: Path) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    async with asyncio.timeout(WITHIN_S), broker(certificate, heard) as url:
        source = MqttSource(MqttConfig(url=url), "gw-01", Inbox(10))
        job = asyncio.create_task(source.run())
        await source.failed.wait()
        assert "certificate" in source.trouble
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        assert heard.empty()
