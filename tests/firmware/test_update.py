"""Updates on a real MicroPython: bundles of the host, over real sockets, with the power cut anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import servers
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from edge.field.bundle import build_bundle, keys_file, make_signing_key

if TYPE_CHECKING:
    from conftest import MicroPython

FILES = {
    "lib/cityneuron/__init__.py": b"# new\n" * 60,
    "lib/cityneuron/node.py": b"print('node')\n" * 700,
    "lib/cityneuron/start.py": b"print('start')\n" * 300,
    "drivers/__init__.py": b"",
    "drivers/ds18b20.py": b"# driver\n" * 230,
}
MOST_HEAP_BYTES = 12_288  # with the code, which is there only meanwhile
LEAST_CUTS = 80


@pytest.fixture(scope="module")
def signers() -> tuple[RSAPrivateKey, RSAPrivateKey, RSAPrivateKey]:
    """The current key, the next, and a stranger's."""
    return make_signing_key(), make_signing_key(), make_signing_key()


def lay_bundles(folder: Path, signers: tuple[RSAPrivateKey, ...]) -> Path:
    """Write keys.json and the bundles that check_update.py knows; return their folder."""
    current, following, stranger = signers
    keys = keys_file(current.public_key(), following.public_key())

    def bundle(
        version: str = "0.2.0",
        board: str = "esp32",
        signer: RSAPrivateKey = current,
        more: dict[str, bytes] | None = None,
    ) -> bytes:
        return build_bundle(
            {**FILES, **(more or {})}, version=version, board=board, signers=[signer], keys=keys
        )

    good = bundle()
    many = {f"drivers/number_{number}.py": random.Random(number).randbytes(2_000) for number in range(60)}
    content = {
        "good": good,
        "next": bundle(signer=following),
        "stranger": bundle(signer=stranger),
        "damaged": good[:-1] + bytes([good[-1] ^ 1]),
        "forged": good.replace(b'"0.2.0"', b'"0.9.0"'),
        "older": bundle(version="0.1.0"),
        "other_board": bundle(board="pico_w"),
        "image": bundle(more={"firmware.bin": b"\xe9" * 9_000}),
        "large": bundle(more=many),
        "half": b"<html>no such bundle</html>" * 100,
        "long": b"CNB1" + (30_000).to_bytes(4, "big") + b"[" * 40_000,
        "keys.json": keys,
    }
    folder.mkdir()
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return folder


def test_updates_keep_their_promises_at_every_cut_of_the_power(
    micropython: MicroPython, tmp_path: Path, signers: tuple[RSAPrivateKey, ...]
) -> None:
    bundles = lay_bundles(tmp_path / "bundles", signers)

    lines = micropython.run(
        "check_update.py",
        servers.PROJECT / "firmware" / "boot.py",
        tmp_path / "flash",
        bundles / "keys.json",
        bundles,
    )

    print(*(line for line in lines if not line.startswith("ok ")), sep="\n")
    figures = {words[0]: int(words[1]) for words in map(str.split, lines) if words[1].isdigit()}
    assert sum(line.startswith("ok ") for line in lines) == 17
    assert figures["heap"] < MOST_HEAP_BYTES and figures["cuts"] >= LEAST_CUTS


CONTENT = random.Random(1).randbytes(50_000)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


async def whole(_: asyncio.StreamReader, writer: asyncio.StreamWriter, at: int) -> None:
    """Serve as a web server with ranges."""
    head = (
        f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {at}-{len(CONTENT) - 1}/{len(CONTENT)}\r\n\r\n"
    )
    writer.write(head.encode() + CONTENT[at:])


async def some(_: asyncio.StreamReader, writer: asyncio.StreamWriter, at: int) -> None:
    """Hang up after 7,000 bytes."""
    head = (
        f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {at}-{len(CONTENT) - 1}/{len(CONTENT)}\r\n\r\n"
    )
    writer.write(head.encode() + CONTENT[at : at + 7_000])


async def without_ranges(_: asyncio.StreamReader, writer: asyncio.StreamWriter, at: int) -> None:
    """Begin anew each time; every other time hang up in the middle."""
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + CONTENT[: max(30_000, 2 * at)])


async def busy(_: asyncio.StreamReader, writer: asyncio.StreamWriter, at: int) -> None:
    writer.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")


async def gone(_: asyncio.StreamReader, writer: asyncio.StreamWriter, at: int) -> None:
    writer.write(b"HTTP/1.1 404 Not Found\r\n\r\nno such bundle")


async def chunked(_: asyncio.StreamReader, writer: asyncio.StreamWriter, at: int) -> None:
    writer.write(b"HTTP/1.1 206 Partial Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")


async def elsewhere(_: asyncio.StreamReader, writer: asyncio.StreamWriter, at: int) -> None:
    """Send another range than the one asked for."""
    writer.write(b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 7-/9\r\n\r\n" + CONTENT)


async def no_web(_: asyncio.StreamReader, writer: asyncio.StreamWriter, at: int) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")


async def endless_line(_: asyncio.StreamReader, writer: asyncio.StreamWriter, at: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 30_000 + b"\r\n\r\n" + CONTENT)


async def endless_headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter, at: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100 + b"\r\n" + CONTENT)


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """Run a web server that answers each connection by `serve`; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            at = int(request.partition(b"Range: bytes=")[2].partition(b"-")[0])
            await serve(reader, writer, at)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, servers.HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]


async def download(micropython: MicroPython, port: int, skip: int = 0) -> list[str]:
    """Fetch CONTENT with the node's own client; return what it says."""
    return await asyncio.to_thread(
        micropython.run, "check_download.py", f"http://{servers.HOST}:{port}/bundle", len(CONTENT), skip
    )


@pytest.mark.parametrize("serve", [whole, some, without_ranges, endless_line])
async def test_a_download_gets_every_byte_once_however_often_the_link_breaks(
    micropython: MicroPython, serve: Serve
) -> None:
    async with serving(serve) as port:
        lines = await download(micropython, port)

    assert lines[-1] == f"sha256 {hashlib.sha256(CONTENT).hexdigest()}", lines


async def test_a_download_goes_on_where_it_is_told(micropython: MicroPython) -> None:
    async with serving(whole) as port:
        lines = await download(micropython, port, skip=12_345)

    assert lines[-1] == f"sha256 {hashlib.sha256(CONTENT[12_345:]).hexdigest()}"


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (gone, "the server answers 404"),
        (busy, "the server answers 503"),
        (chunked, "the server sends chunks"),
        (elsewhere, "the server answers 206"),
        (no_web, "no web server answers"),
        (endless_headers, "more headers than allowed"),
    ],
)
async def test_a_download_that_cannot_be_had_ends_with_the_reason(
    micropython: MicroPython, serve: Serve, reason: str
) -> None:
    async with serving(serve) as port:
        lines = await download(micropython, port)

    assert lines[-1].startswith("failed ") and reason in lines[-1], lines


async def test_a_server_that_is_not_there_is_asked_eight_times(
    micropython: MicroPython, free_port: int
) -> None:
    lines = await download(micropython, free_port)

    assert lines[-1].startswith("failed ") and "gives nothing" in lines[-1]
    assert sum("going on" in line for line in lines) == 7
