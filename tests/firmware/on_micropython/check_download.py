"""Downloads a URL and prints the SHA-256 of what came, or why nothing did.

Arguments: URL, size, how many bytes to leave out at the begin.
"""

import asyncio
import sys
from binascii import hexlify
from hashlib import sha256

from cityneuron.download import Download, DownloadError


async def main(url, size, skip):
    source, digest, buffer = (
        Download(url, lambda bits: 0, print, first_wait_ms=1),
        sha256(),
        memoryview(bytearray(1000)),
    )
    await source.seek(skip)
    while source.at < size:
        part = buffer[: min(len(buffer), size - source.at)]
        await source.readinto(part)
        digest.update(part)
    await source.close()
    print("sha256", hexlify(digest.digest()).decode())


try:
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
except DownloadError as error:
    print("failed", error.message)
