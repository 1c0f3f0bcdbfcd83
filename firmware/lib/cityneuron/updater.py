"""Updates: fetches a signed bundle into the idle slot, tries it, and returns unless it proves itself.

    asked -> fetch -> try -> (restart) on trial -> a reading of its own is acknowledged -> confirmed
                                          '-> three starts without one -> boot.py returns -> failed

What is asked stands on flash, so that a power cut only delays it: a fetch goes on with the files that are
whole, and the last word is said after the restart. Sampling goes on meanwhile.
"""

import asyncio
import json

from micropython import const

from cityneuron.commands import DONE, FAILED, LATER, Refused, explained
from cityneuron.errors import NodeError
from cityneuron.files import read_object, remove, replace
from cityneuron.slots import is_newer

_MOST_STARTS = const(10)  # of one fetch


class Updater:
    """`finished(status, detail)` hears the last word, `restart(why)` is called when the new version is to run.

    slots: Slots; path: of the board; image: the other firmware partition, or None; source(url) is a Download.
    """

    def __init__(self, slots, path, board, getrandbits, restart, finished, log=print, image=None, source=None):
        self._slots = slots
        self._path = path
        self._board = board
        self._getrandbits = getrandbits
        self._restart = restart
        self._finished = finished
        self._log = log
        self._image = image
        self._source = source or self._download
        self._wanted = asyncio.Event()
        self._job = read_object(path("data/update.json"))

    @property
    def under_way(self):
        return bool(self._job)

    def update(self, arguments):
        """The command: see that it can be begun, and begin. Raises Refused."""
        slots = self._slots
        if slots.idle is None:
            raise Refused("this node runs from a folder of sources", "provision it; then it has slots")
        if slots.on_trial:
            raise Refused("version %s is on trial" % slots.version, "wait until it is confirmed")
        if self._job:
            raise Refused("an update is under way", "wait for its end")
        version = arguments.get("version")
        if version and not arguments.get("force") and not is_newer(version, slots.version):
            raise Refused(
                "version %s is not newer than %s" % (version, slots.version), "force it if you mean it"
            )
        job = {name: arguments.get(name) for name in ("url", "version", "force")}  # the rest is in the bundle
        job.update(stage="fetch", starts=0)
        replace(self._path("data/update.json"), json.dumps(job))
        self._job = job
        self._wanted.set()
        return LATER

    def resume(self):
        """After a start: go on with what is under way, or say how it ended."""
        job, slots = self._job, self._slots
        if not job:
            return
        stage, version = job.get("stage"), job.get("version")
        if slots.on_trial:
            if self._has_lost_its_image():
                self._give_up()
        elif slots.returned and stage == "try":
            self._fail(self._reason_of_return())
        elif stage == "try" and slots.version == version:
            self._end(DONE, {"version": version})
        elif stage == "try" and slots.version_of(slots.idle) == version:
            self._try()  # the power went before the slot was chosen
        elif job.get("starts", 0) >= _MOST_STARTS:
            self._fail(NodeError("interrupted %d times" % _MOST_STARTS, "look at the node's power"))
        else:
            self._keep(stage="fetch", starts=job.get("starts", 0) + 1)
            self._wanted.set()

    def confirm(self):
        """A reading of this start is acknowledged: what is on trial stays."""
        slots = self._slots
        if not slots.on_trial:
            return
        slots.confirm()
        if self._image:
            self._image.confirm()
        self._log("version %s is confirmed" % slots.version)
        self._end(DONE, {"version": slots.version})

    async def run(self):
        """Work until cancelled; what fails is told and done with."""
        try:
            self.resume()
        except OSError as error:
            self._log("update: the flash fails: %s" % error)
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._install()
            except Exception as error:  # the node goes on with what it has
                known = isinstance(error, NodeError)
                self._fail(
                    error if known else NodeError("update: %r" % error, "look at flash and heap; try again")
                )

    async def _install(self):
        from cityneuron.install import Install  # large, and seldom needed: it leaves with the restart

        bundle = await Install(self._slots, self._path, self._board, self._image).run(
            self._job, self._source(self._job["url"])
        )
        self._keep(stage="try", version=bundle.version, image=self._image.next if bundle.image_bytes else None)
        self._try()

    def _download(self, url):
        from cityneuron.download import Download

        return Download(url, self._getrandbits, self._log)

    def _try(self):
        if self._job.get("image"):
            self._image.choose()
        self._slots.begin_trial()
        self._restart("to try version %s" % self._job.get("version"))

    def _has_lost_its_image(self):
        """Whether the bootloader went back to the image before: the version on trial is not what was asked."""
        wanted = self._job.get("image")
        return bool(wanted) and (self._image is None or self._image.running != wanted)

    def _give_up(self):
        self._slots.give_up()
        self._restart("since the new image did not start")

    def _reason_of_return(self):
        if self._job.get("image") and self._image and self._image.running == self._job["image"]:
            self._image.choose()
            self._restart("to the image before")
        return NodeError(
            "version %s did not prove itself; back at %s" % (self._job.get("version"), self._slots.version),
            "see its errors; correct it and give it a new version",
        )

    def _keep(self, **changes):
        self._job.update(changes)
        replace(self._path("data/update.json"), json.dumps(self._job))

    def _fail(self, error):
        self._log("update: %s%s" % (error.message, "; " + error.remedy if error.remedy else ""))
        self._end(FAILED, explained(error))

    def _end(self, status, detail):
        """Say the last word, then forget: the other way round a power cut would leave none."""
        if self._job:
            self._finished(status, detail)
        self._job = {}
        try:
            remove(self._path("data/update.json"))
            remove(self._path("data/update.head"))
        except OSError as error:
            self._log("update: the flash fails: %s" % error)
