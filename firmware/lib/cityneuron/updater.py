"""Updates: a signed bundle goes into the idle slot, is tried, and returns unless it proves itself.

    asked -> restart -> fetch -> restart -> on trial -> a reading of its own is acknowledged -> confirmed
                          |                    '-> three starts without one -> boot.py returns -> failed
                          '-> it cannot be had, or must not be installed -> restart -> failed

The fetch has a start of its own, without a node: a board has no room in memory for both, and does not sample
meanwhile. What is asked (slots.py) stands in data/update.json, so that a power cut only delays it, and the last
word is said by the node that starts after it.
"""

import asyncio
import json

from micropython import const

from cityneuron.commands import DONE, FAILED
from cityneuron.errors import NodeError, Restart
from cityneuron.files import read_object, remove, replace
from cityneuron.replies import explained
from cityneuron.seldom import borrow

_MOST_STARTS = const(10)  # of one fetch
_AT_MOST_S = const(900)  # without sampling
_FEED_EVERY_MS = const(2_000)


class Updater:
    """slots: Slots; image: the other firmware partition, or None."""

    def __init__(self, slots, path, image=None, log=print):
        self._slots = slots
        self._path = path
        self._image = image
        self._log = log
        self._job = read_object(path("data/update.json"))

    # In a start of its own.

    def is_to_fetch(self):
        """Whether this start is for the fetch; it counts as one then."""
        job = self._job
        if job.get("stage") != "fetch" or self._slots.idle is None or self._slots.on_trial:
            return False
        try:
            if job.get("starts", 0) < _MOST_STARTS:
                self._keep(job, starts=job.get("starts", 0) + 1)
                return True
            error = NodeError("interrupted %d times" % _MOST_STARTS, "look at the node's power")
            self._keep(job, stage="failed", **explained(error))
        except OSError as error:
            self._log("update: the flash fails: %s" % error)
        return False

    async def fetch(self, board, settings, source=None):
        """Fetch, and choose the new version for the next start; what goes wrong is kept for the node to tell.

        Raises OSError where the flash does not even take that.
        """
        self._log("update: fetching %s" % self._job["url"])
        guard = asyncio.create_task(_feed(board))
        try:
            await asyncio.wait_for(self._fetch(board, settings, source), _AT_MOST_S)
        except Exception as error:  # the node goes on with what it has
            detail = explained(error)
            self._log("update: %s" % detail["error"])
            self._keep(self._job, stage="failed", **detail)
        finally:
            guard.cancel()

    async def _fetch(self, board, settings, source):
        if settings is not None:
            board.configure(settings)
            await board.join_network()
        source = source or borrow("download").Download(self._job["url"], board.getrandbits, self._log)
        install = borrow("install", "bundle", "rsa", "download").Install(
            self._slots, self._path, board.NAME, self._image
        )
        bundle = await install.run(self._job, source)
        image = self._image.next if bundle.image_bytes else None
        self._keep(self._job, stage="try", version=bundle.version, image=image)
        self._try()

    def _try(self):
        if self._job.get("image"):
            self._image.choose()
        self._slots.begin_trial()
        self._log("update: version %s is to be tried" % self._job["version"])

    # By the node that starts after it.

    def outcome(self):
        """Return the last word (status, detail) of an update; None when there is none, or not yet.

        Raises Restart when another start is needed before. finish() forgets the update, once the word is kept.
        """
        job, slots = self._job, self._slots
        if job.get("stage") == "failed":
            return FAILED, {name: job[name] for name in ("error", "remedy") if name in job}
        if job.get("stage") != "try":
            return None
        wanted = job.get("image")
        if slots.on_trial:
            if wanted and (self._image is None or self._image.running != wanted):
                slots.give_up()
                raise Restart("the new image did not start")
            return None
        if slots.returned:
            if wanted and self._image and self._image.running == wanted:
                self._image.choose()
                raise Restart("to the image before")
            return FAILED, explained(
                NodeError(
                    "version %s did not prove itself; back at %s" % (job.get("version"), slots.version),
                    "see its errors; correct it and give it a new version",
                )
            )
        if slots.version == job.get("version"):
            return DONE, {"version": slots.version}
        try:
            self._try()  # the power went before the slot was chosen
        except NodeError as error:
            return FAILED, explained(error)
        raise Restart("to try version %s" % job.get("version"))

    def confirm(self):
        """A reading of this start is acknowledged: what is on trial stays. Returns the last word."""
        self._slots.confirm()
        if self._image:
            self._image.confirm()
        self._log("version %s is confirmed" % self._slots.version)
        return DONE, {"version": self._slots.version}

    def finish(self):
        """Forget the update: its last word is kept with the command."""
        self._job = {}
        remove(self._path("data/update.json"))
        remove(self._path("data/update.head"))

    def _keep(self, job, **changes):
        job = dict(job)
        job.update(changes)
        replace(self._path("data/update.json"), json.dumps(job))
        self._job = job


async def _feed(board):
    while True:
        board.feed_watchdog()
        await asyncio.sleep_ms(_FEED_EVERY_MS)
