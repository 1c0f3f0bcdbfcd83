"""The bundle of an update as a node reads it: header, signatures, files; little of it is in memory at a time.

    "CNB1"  u32 header length  header  signatures of the header, 384 bytes each  the files' bytes in order

The header is JSON with one file a line, so that it can be read line by line from flash. It is believed only
once one of its signatures was made by a key that this node holds. edge/field/bundle.py makes bundles.
"""

import json
from binascii import unhexlify
from hashlib import sha256

from micropython import const

from cityneuron import rsa
from cityneuron.errors import NodeError
from cityneuron.files import read_object

MAGIC = b"CNB1"
IMAGE = "firmware.bin"  # MicroPython itself: goes to the other partition, not into the slot
KEYS = "keys.json"
_MOST_HEADER_BYTES = const(32_768)
_MOST_FILE_BYTES = const(262_144)
_MOST_IMAGE_BYTES = const(4_194_304)
_MOST_FILES = const(256)
_MOST_SIGNATURES = const(4)
_SIGNATURE_BYTES = const(384)
_LONGEST_LINE = const(256)
_FOLDERS = const(("lib/cityneuron/", "drivers/", "boards/"))
_LETTERS = const("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-")


class BundleError(NodeError):
    """An update that must not be installed."""


class Bundle:
    """The head of a bundle that comes from `source` (a Download) and lies in the file `path`, once checked."""

    def __init__(self, path):
        self._path = path
        self._first_byte = 0
        self.version = self.board = self.digest = ""
        self.size = 0  # of the files, rounded up to blocks
        self.image_bytes = 0

    async def fetch(self, source, keys, buffer):
        """Read the head, and check that a key signed it and that it makes sense; else raise BundleError."""
        view = memoryview(buffer)
        await source.readinto(view[:8])
        length = int.from_bytes(view[4:8], "big")
        if bytes(view[:4]) != MAGIC or not 0 < length <= _MOST_HEADER_BYTES:
            raise BundleError("this is no bundle", "is the address right?")
        digest = sha256()
        with open(self._path, "wb") as file:
            while length:
                chunk = view[: min(length, len(view))]
                await source.readinto(chunk)
                digest.update(chunk)
                file.write(chunk)
                length -= len(chunk)
        self.digest = digest.digest()
        signatures = self._read_first_line()["keys"]
        if type(signatures) is not int or not 1 <= signatures <= _MOST_SIGNATURES:
            raise BundleError("a bundle has 1 to %d signatures" % _MOST_SIGNATURES)
        await self._check_signatures(source, keys, view, signatures)
        self._first_byte = source.at
        self._check()

    async def _check_signatures(self, source, keys, view, signatures):
        good = False
        for _ in range(signatures):
            await source.readinto(view[:_SIGNATURE_BYTES])
            signature = bytes(view[:_SIGNATURE_BYTES])
            good = good or any(rsa.verify(key, signature, self.digest) for key in keys)
        if not good:
            raise BundleError("no key of this node signed the bundle", "sign it with the current key")

    def _check(self):
        head = self._read_first_line()
        self.version, self.board = head["version"], head["board"]
        if type(self.version) is not str or type(self.board) is not str or not 1 <= len(self.version) <= 32:
            raise BundleError("the bundle does not say its version and board")
        count, names = 0, set()
        for path, size, _, _ in self.files():
            count += 1
            if path == IMAGE:
                self.image_bytes = size
            else:
                self.size += (size + 4095) & ~4095
            if path in (KEYS, IMAGE) or path.startswith("lib/cityneuron/start."):
                names.add(path.split(".")[0])
        if count > _MOST_FILES:
            raise BundleError("the bundle has %d files, a node takes %d" % (count, _MOST_FILES))
        if "keys" not in names or "lib/cityneuron/start" not in names:
            raise BundleError(
                "the bundle lacks %s or the start" % KEYS, "such a node could not be updated again"
            )

    def files(self):
        """Yield (path, size, SHA-256, where in the bundle) of each file."""
        at = self._first_byte
        with open(self._path) as file:
            file.readline()
            while True:
                line = file.readline().strip()
                if line == "]}":
                    return
                path, size, digest = _row(line)
                yield path, size, digest, at
                at += size

    def write_manifest(self, path):
        """Write {"version", "board", "files": {path: sha256}}, a file a line."""
        with open(path, "w") as file:
            head = json.dumps({"version": self.version, "board": self.board})
            file.write(head[:-1] + ', "files": {')
            between = "\n"
            with open(self._path) as lines:
                lines.readline()
                while True:
                    line = lines.readline().strip()
                    if line == "]}":
                        break
                    row = json.loads(line.rstrip(","))
                    file.write('%s"%s": "%s"' % (between, row["path"], row["sha256"]))
                    between = ",\n"
            file.write("\n}}\n")

    def _read_first_line(self):
        with open(self._path) as file:
            line = file.readline(_LONGEST_LINE)  # nobody has vouched for it yet
        try:
            head = json.loads(line + "]}")
            return {name: head[name] for name in ("version", "board", "keys")}
        except (ValueError, KeyError, TypeError):
            raise BundleError("the bundle's header is none of this version", "build it with `node update`")


def _row(line):
    try:
        row = json.loads(line.rstrip(","))
        path, size, digest = row["path"], row["size"], unhexlify(row["sha256"])
    except (ValueError, KeyError, TypeError):
        raise BundleError("the bundle's header has a line that is no file: %s" % line[:64])
    most = _MOST_IMAGE_BYTES if path == IMAGE else _MOST_FILE_BYTES
    if type(size) is not int or not 0 <= size <= most or len(digest) != 32:
        raise BundleError("%s: size or hash makes no sense" % line[:64])
    if path not in (KEYS, IMAGE) and not _is_inside(path):
        raise BundleError("%s is no file of a slot" % str(path)[:64])
    return path, size, digest


def _is_inside(path):
    if type(path) is not str or not path.startswith(_FOLDERS) or len(path) > 64:
        return False
    return not path.endswith("/") and ".." not in path and all(char in _LETTERS for char in path)


def keys_of(folder):
    """Return the moduli of the public keys that a slot holds: the current one, and the next if there is one."""
    held = read_object(folder + "/" + KEYS)
    return [held[name] for name in ("current", "next") if type(held.get(name)) is str]
