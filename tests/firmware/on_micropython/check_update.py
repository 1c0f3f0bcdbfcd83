"""Updates, each promise a function: real bundles into a real LittleFS, with the power cut at many writes.

Arguments: boot.py, a path for the flash, keys.json, the folder of the bundles. Prints what holds, and figures.
"""

import asyncio
import gc
import json
import os
import sys
from binascii import hexlify
from hashlib import sha256

import torn

from cityneuron import bundle as bundles
from cityneuron import turns
from cityneuron.commands import DONE, FAILED
from cityneuron.errors import NodeError, Restart
from cityneuron.files import replace
from cityneuron.image import Image
from cityneuron.slots import Slots
from cityneuron.updater import Updater

_BOOT, _FLASH, _KEYS, _FOLDER = sys.argv[1:]
_NAMES = (
    "good",
    "next",
    "stranger",
    "damaged",
    "forged",
    "older",
    "other_board",
    "image",
    "large",
    "half",
    "long",
)
_CUTS = 90
with open(_BOOT) as file:
    BOOT = compile(file.read(), "boot.py", "exec")
with open(_KEYS) as file:
    KEYS = file.read()
FILES = {name: open(_FOLDER + "/" + name, "rb") for name in _NAMES}  # before the host is out of sight
flash = torn.Flash(_FLASH, 120)
fetched = [0]
peak = [0, 0]


def path(name):
    return "/" + name


def sha(data):
    return hexlify(sha256(data).digest()).decode()


class Source:
    """A Download out of a file; `url` is its name."""

    def __init__(self, name):
        self._file = FILES[name]
        self.at = 0

    async def seek(self, at):
        self.at = at

    async def readinto(self, view):
        if peak[1]:
            gc.collect()
            peak[0] = max(peak[0], gc.mem_alloc())
        self._file.seek(self.at)
        got = self._file.readinto(view)
        if got < len(view):
            raise bundles.BundleError("the file ends")
        self.at += got
        fetched[0] += got

    async def close(self):
        pass


class Partition:
    """esp32.Partition of a board with two: what runs, what comes next, what was confirmed."""

    RUNNING = 1
    booted, chosen, confirmed, written = "ota_0", "ota_0", "ota_0", {}
    refuses = False

    def __init__(self, label):
        self.label = Partition.booted if label == Partition.RUNNING else label

    def info(self):
        return (0, 16, 0x10000, 0x180000, self.label, False)

    def get_next_update(self):
        return Partition("ota_1" if self.label == "ota_0" else "ota_0")

    def writeblocks(self, number, block):
        Partition.written[self.label, number] = bytes(block)

    def set_boot(self):
        if Partition.refuses:
            raise OSError(-5379)
        Partition.chosen = self.label

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        Partition.confirmed = Partition.booted


class Board:
    NAME = "esp32"
    fed = 0

    @classmethod
    def feed_watchdog(cls):
        cls.fed += 1


class Node:
    """A start of the board: it fetches, wants another start, or is a node, which perhaps tells a last word."""

    def __init__(self, image=False):
        self.slots, self.told, self.log = Slots(path), None, []
        self.updater = Updater(self.slots, path, Image(Partition) if image else None, self.log.append)
        self.is_node = False
        if self.updater.is_to_fetch():
            asyncio.run(self.updater.fetch(Board, None, Source(wanted[0])))
            return
        try:
            self.told = self.updater.outcome()
        except Restart:
            return
        self.is_node = True
        if self.told:
            self.updater.finish()

    def ask(self, name, **arguments):
        """Ask for an update; return the node that stands when all is done that is done without a reading."""
        self.order(name, **arguments)
        return start()

    def order(self, name, **arguments):
        wanted[0] = name
        arguments["url"] = "http://x/y"
        turns.order(path, arguments)

    def confirm(self):
        self.told = self.updater.confirm()
        self.updater.finish()
        return self.told

    @property
    def error(self):
        status, detail = self.told
        assert status == FAILED
        return detail["error"]


wanted = [""]


def boot(cut_at=0, **options):
    """One start."""
    flash.start(cut_at)
    exec(BOOT, {})
    return Node(**options)


def start(**options):
    """Start until there is a node."""
    for _ in range(5):
        node = boot(**options)
        if node.is_node:
            return node
    raise AssertionError("it starts again and again: %s" % node.log)


def fresh(**options):
    flash.restore()
    return boot(**options)


def is_whole(slot):
    """Whether a slot holds exactly the files of its manifest."""
    with open("/%s/manifest.json" % slot) as file:
        manifest = json.load(file)
    for name, digest in manifest["files"].items():
        found = sha256()
        with open("/%s/%s" % (slot, name), "rb") as file:
            while True:
                piece = file.read(512)
                if not piece:
                    break
                found.update(piece)
        assert hexlify(found.digest()).decode() == digest, name
    return True


def exists(name):
    try:
        os.stat(name)
        return True
    except OSError:
        return False


def refuses(name, reason, **arguments):
    before = fetched[0]
    node = fresh().ask(name, **arguments)
    assert reason in node.error, node.error
    assert node.slots.running == "a" and not node.slots.on_trial and not exists("/b/manifest.json")
    assert not start().told and not exists("/data/update.json")
    return fetched[0] - before


def a_good_bundle_is_tried_and_confirmed_by_the_first_reading():
    node = fresh().ask("good")
    assert node.slots.running == "b" and node.slots.on_trial and node.slots.version == "0.2.0"
    assert is_whole("b") and not node.told and Board.fed > 0
    assert node.confirm() == (DONE, {"version": "0.2.0"}) and not node.slots.on_trial
    node = boot()
    assert node.is_node and node.slots.running == "b" and not node.told


def a_version_that_never_proves_itself_returns_after_three_starts():
    node = fresh().ask("good")  # the first
    for _ in range(2):
        node = boot()
        assert node.slots.running == "b" and node.slots.on_trial and not node.told
    node = boot()
    assert node.slots.running == "a" and "did not prove itself; back at 0.1.0" in node.error
    node = boot()
    assert node.is_node and not node.told
    assert node.ask("good").slots.running == "b"


def the_next_key_signs_as_well_and_no_other():
    assert fresh().ask("next").slots.on_trial
    refuses("stranger", "no key of this node signed")
    refuses("forged", "no key of this node signed")


def what_is_refused_by_its_header_writes_nothing_into_the_slot():
    assert refuses("stranger", "no key") < 3_000 and not exists("/b")
    assert refuses("older", "version 0.1.0 is not newer than 0.1.0") < 3_000 and not exists("/b")
    assert refuses("other_board", "is for pico_w, this is esp32") < 3_000 and not exists("/b")
    refuses("image", "no second firmware partition")
    refuses("good", "the bundle is version 0.2.0, not 0.3.0", version="0.3.0")
    refuses("half", "no bundle")
    refuses("long", "none of this version")


def an_older_version_is_taken_when_forced():
    node = fresh().ask("older", force=1)
    assert node.slots.running == "b" and node.slots.version == "0.1.0"
    assert node.confirm() == (DONE, {"version": "0.1.0"})


def a_damaged_file_ends_the_update():
    refuses("damaged", "is damaged")


def one_update_at_a_time_and_none_on_trial():
    node = fresh()
    node.order("good")
    assert_refused(node, "under way")
    assert_refused(start(), "or on trial")


def assert_refused(node, reason, **arguments):
    try:
        node.order("good", **arguments)
    except NodeError as error:
        assert reason in error.message
        return
    raise AssertionError("it was not refused")


def the_image_goes_to_the_other_partition_and_is_confirmed_with_the_slot():
    Partition.booted = Partition.chosen = Partition.confirmed = "ota_0"
    fresh(image=True).order("image")
    boot(image=True)
    assert Partition.chosen == "ota_1"
    for number in range(3):
        image = min(4096, 9_000 - 4096 * number)
        assert Partition.written.pop(("ota_1", number)) == b"\xe9" * image + b"\xff" * (4096 - image)
    Partition.booted = "ota_1"
    node = boot(image=True)
    assert node.confirm() == (DONE, {"version": "0.2.0"}) and Partition.confirmed == "ota_1"
    assert not exists("/b/firmware.bin")


def an_image_that_does_not_start_takes_its_slot_back_with_it():
    Partition.booted = Partition.chosen = Partition.confirmed = "ota_0"
    fresh(image=True).order("image")
    boot(image=True)
    node = boot(image=True)  # the bootloader went back to ota_0
    assert node.slots.on_trial and not node.is_node
    node = boot(image=True)
    assert node.is_node and node.slots.running == "a" and "did not prove itself" in node.error


def an_image_that_the_bootloader_refuses_ends_the_update_also_after_a_power_cut():
    Partition.booted = Partition.chosen = Partition.confirmed = "ota_0"
    Partition.refuses = True
    try:
        fresh(image=True).order("image")
        boot(image=True)
        node = boot(image=True)
        assert node.is_node and node.slots.running == "a" and "the new image is refused" in node.error
        Partition.refuses = False
        fresh(image=True).order("image")
        boot(image=True)
        Partition.refuses = True
        replace("/slot.json", json.dumps({"active": "a", "trial": None, "boots": 0}))  # it was not yet written
        node = boot(image=True)
        assert node.is_node and "the new image is refused" in node.error
    finally:
        Partition.refuses = False


def an_update_needs_little_memory_however_large_it_is():
    node = fresh()
    gc.collect()
    before = gc.mem_alloc()
    peak[:] = [0, 1]
    node = node.ask("large")
    peak[1] = 0
    assert node.slots.on_trial, node.told
    print("heap", peak[0] - before)


def an_update_that_does_not_fit_says_so():
    node = fresh()
    with open("/data.bin", "wb") as file:
        for _ in range(104):
            file.write(b"\x55" * 4096)
    node = node.ask("good")
    assert "bytes are free" in node.error and not exists("/b/manifest.json")


def a_fetch_that_is_interrupted_ten_times_is_given_up():
    fresh().order("good")
    for _ in range(10):
        try:
            boot(cut_at=12)
        except OSError:
            pass
        assert flash.is_cut
    assert "interrupted 10 times" in start().error


def cut_at_many_writes_there_is_always_a_slot_to_start_and_the_update_ends_well():
    fresh().order("good")
    boot()
    writes, points = flash.writes, 0
    for cut_at in range(1, writes + 1, max(1, writes // _CUTS)):
        fresh().order("good")
        try:
            boot(cut_at)
        except OSError:
            pass
        assert flash.is_cut
        points += 1
        first = boot()
        assert first.slots.running in ("a", "b") and is_whole(first.slots.running)
        node = first if first.is_node else start()
        assert node.slots.running == "b" and node.slots.on_trial and is_whole("b"), (cut_at, node.told)
        assert node.confirm() == (DONE, {"version": "0.2.0"})
    print("cuts", points, "of", writes, "writes")


def cut_at_any_write_of_the_order_it_is_given_or_not():
    cut_at = 0
    while True:
        cut_at += 1
        node = fresh()
        flash.writes, flash.cut_at = 0, cut_at
        try:
            node.order("good")
        except OSError:
            pass
        was_cut = flash.is_cut
        assert start().slots.running in ("a", "b")
        if not was_cut:
            break
    assert cut_at > 2


def cut_at_any_write_of_the_confirmation_it_is_confirmed_or_comes_again():
    cut_at = 0
    while True:
        cut_at += 1
        node = fresh().ask("good")
        flash.writes, flash.cut_at = 0, cut_at
        try:
            node.confirm()
        except OSError:
            pass
        was_cut = flash.is_cut
        node = start()
        assert node.slots.running == "b" and is_whole("b")
        if node.slots.on_trial:
            node.confirm()
        assert not boot().slots.on_trial
        if not was_cut:
            break
    print("confirmation cuts", cut_at - 1)


def an_interrupted_fetch_goes_on_with_what_is_whole():
    before = fetched[0]
    fresh().order("good")
    boot()
    all_bytes, writes = fetched[0] - before, flash.writes
    fresh().order("good")
    try:
        boot(cut_at=writes * 9 // 10)
    except OSError:
        pass
    before = fetched[0]
    assert start().slots.on_trial and fetched[0] - before < all_bytes * 2 // 3
    print("fetched again", fetched[0] - before, "of", all_bytes)


flash.start()
os.mkdir("/a")
os.mkdir("/data")
with open("/a/keys.json", "w") as file:
    file.write(KEYS)
with open("/a/manifest.json", "w") as file:
    digest = sha(KEYS.encode())
    json.dump({"version": "0.1.0", "board": "esp32", "files": {"keys.json": digest}}, file)
with open("/slot.json", "w") as file:
    json.dump({"active": "a", "trial": None, "boots": 0}, file)
flash.save()
for name, check in sorted(globals().copy().items()):
    if "_" in name and name[0] != "_" and callable(check) and name not in ("is_whole", "assert_refused"):
        check()
        print("ok", name)
