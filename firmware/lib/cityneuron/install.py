"""A bundle goes into the idle slot: judged by its header, then file by file, a kilobyte in memory at a time.

Imported when an update is asked for; after it the node restarts, and the room in memory is free again.
"""

import asyncio
import os
from hashlib import sha256

from micropython import const

from cityneuron.bundle import IMAGE, Bundle, BundleError, keys_of
from cityneuron.files import make_folders, remove, replace
from cityneuron.versions import is_newer

_BUFFER_BYTES = const(1024)
_SPARE_BYTES = const(32_768)  # of the flash, which the outbox and the file system need


class Install:
    """slots: Slots; path: of the board; board: its name; image: the other firmware partition, or None."""

    def __init__(self, slots, path, board, image):
        self._slots = slots
        self._path = path
        self._board = board
        self._image = image

    async def run(self, job, source):
        """Fetch what the job wants from a Download; return the Bundle, whose slot is whole then.

        Raises NodeError or OSError; the slot is not whole then, and what is good in it serves the next time.
        """
        buffer = bytearray(_BUFFER_BYTES)
        folder = self._slots.folder(self._slots.idle)
        try:
            bundle = Bundle(self._path("data/update.head"))
            await bundle.fetch(source, keys_of(self._slots.folder(self._slots.running)), buffer)
            self._check(bundle, job)
            self._prepare(bundle, folder)
            for path, size, digest, at in bundle.files():
                await source.seek(at)
                if path == IMAGE:
                    await self._fetch_image(source, size, digest, buffer)
                elif not _is_there(folder + "/" + path, size, digest, buffer):
                    await _fetch(source, folder + "/" + path, size, digest, buffer)
        finally:
            await source.close()
        bundle.write_manifest(folder + "/manifest.new")
        os.rename(folder + "/manifest.new", folder + "/manifest.json")
        return bundle

    def _check(self, bundle, job):
        if bundle.board != self._board:
            raise BundleError(
                "the bundle is for %s, this is %s" % (bundle.board, self._board), "choose another"
            )
        wanted, running = job.get("version"), self._slots.version
        if wanted and bundle.version != wanted:
            raise BundleError(
                "the bundle is version %s, not %s" % (bundle.version, wanted), "ask for the other"
            )
        if not job.get("force") and not is_newer(bundle.version, running):
            raise BundleError(
                "version %s is not newer than %s" % (bundle.version, running), "force it if you mean it"
            )
        if bundle.image_bytes and self._image is None:
            raise BundleError("this board has no second firmware partition", "choose a bundle without an image")

    def _prepare(self, bundle, folder):
        """Clear the idle slot, but for the files of this bundle that an interrupted fetch left."""
        remove(folder + "/manifest.json")  # from here on it is not whole
        marker = folder + "/fetching"
        try:
            with open(marker, "rb") as file:
                same = file.read() == bundle.digest
        except OSError:
            same = False
        if not same:
            remove(folder)
            make_folders(marker)
            replace(marker, bundle.digest)
        held = sum((_size(folder + "/" + path) + 4095) & ~4095 for path, _, _, _ in bundle.files())
        free = free_bytes(folder)
        if free + held < bundle.size + _SPARE_BYTES:
            raise BundleError(
                "%d bytes are free, the update needs %d" % (free, bundle.size), "send fewer files"
            )

    async def _fetch_image(self, source, size, digest, buffer):
        self._image.begin(size)
        await _copy(source, size, digest, buffer, self._image.write, IMAGE)
        self._image.close()


def free_bytes(path):
    """Return the room that is left on a file system."""
    found = os.statvfs(path)
    return found[0] * found[4]


def _size(path):
    try:
        return os.stat(path)[6]
    except OSError:
        return 0


def _is_there(path, size, digest, buffer):
    """Whether an interrupted fetch left this file whole."""
    if _size(path) != size:
        return False
    view, found = memoryview(buffer), sha256()
    try:
        with open(path, "rb") as file:
            while True:
                got = file.readinto(buffer)
                if not got:
                    return found.digest() == digest
                found.update(view[:got])
    except OSError:
        return False


async def _fetch(source, path, size, digest, buffer):
    make_folders(path)
    with open(path, "wb") as file:
        await _copy(source, size, digest, buffer, file.write, path)


async def _copy(source, size, digest, buffer, write, name):
    view, found = memoryview(buffer), sha256()
    while size:
        chunk = view[: min(size, len(view))]
        await source.readinto(chunk)
        found.update(chunk)
        write(chunk)
        size -= len(chunk)
        await asyncio.sleep_ms(0)  # a sensor may be due
    if found.digest() != digest:
        raise BundleError("%s is damaged" % name, "upload the bundle again")
