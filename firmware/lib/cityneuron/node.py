"""The node: samples on its period, keeps readings in the outbox, and lets them be handed to the gateway.

    sampler -> outbox -> conversation -> broker -> gateway
                  ^----------- ack -----------------'

Sampling never waits for the network, nor the network for a command.
"""

import asyncio
import gc

from micropython import const

from cityneuron.clock import UNKNOWN
from cityneuron.conversation import Conversation
from cityneuron.errors import NodeError
from cityneuron.files import remove, replace
from cityneuron.seldom import borrow

_LOOK_EVERY_MS = const(150_000)  # what was not acknowledged between two looks goes to flash: within 5 minutes
_LOOK_EVERY_DOWN_MS = const(60_000)
_WRITE_EVERY_MS = const(1_800_000)  # what the gateway has is kept for the case that it loses it
_KEEP_TIME_EVERY_MS = const(3_600_000)
_GUARD_EVERY_MS = const(10_000)
_PATIENCE_MS = const(300_000)
_STOP_MS = const(5_000)
_MOST_COMMANDS = const(4)


class Node:
    """Joins the parts. `board` gives network, time and watchdog; `log` takes one line of text.

    Set by who starts it: `commands` (its take(payload) returns a reply or None), `errors` (its note() keeps
    one), `slot` and `trial` (which firmware runs), `on_proof` (a reading of this run was acknowledged),
    `lamp`, `wakes` (of a node that sleeps).
    `actions` are what commands may do: name -> f(arguments).
    """

    def __init__(self, settings, board, clock, sampler, outbox, servers, pace, log):
        self.settings = settings
        self.board = board
        self.clock = clock
        self.sampler = sampler
        self.outbox = outbox
        self.pace = pace
        self.log = log
        self.errors = None
        self.commands = None
        self.actions = {
            "sample": self.sample_now,
            "status": lambda _args: self.status(),
            "set": self._set,
            "settings": self._settings,
        }
        self.slot, self.trial = None, False
        self.lamp, self.wakes = None, 0
        self.on_proof = lambda: None
        self.delivered = asyncio.Event()  # nothing waits for an acknowledgement
        self.conversation = Conversation(self, servers)
        self._lost, self._repaced, self._commanded = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._sampling = asyncio.Lock()
        self._due_commands = []
        self._time_kept_ms = self._sampled_ms = 0

    @property
    def stage(self):
        """What the node is at: network, clock, broker, birth, sample (nothing of its own acked yet), acked."""
        return self.conversation.stage

    async def work(self):
        """Work as the settings say: all the time, or from sleep to sleep."""
        if self.settings.sleep:
            from cityneuron.sleep import Wake

            await Wake(self, self.wakes).run()
        elif self.lamp is not None:
            await asyncio.gather(self.run(), self.lamp.run())
        else:
            await self.run()

    async def run(self):
        """Work until cancelled; a fault that is not the network's ends it."""
        self.board.on_supply_warning(self.keep)
        await asyncio.gather(
            self._sample_forever(), self.conversation.talk(), self._keep_forever(), self.obey(), self.guard()
        )

    async def sample_now(self, _args=None):
        """Take a reading beside the period, with sensors that are warm; return its number and values."""
        if self.sampler.warm_up_ms:
            await self.sampler.wake()
            await asyncio.sleep_ms(self.sampler.warm_up_ms)
        return {"seq": await self._sample(), "values": borrow("status").values(self.sampler)}

    def _set_period_ms(self, period_ms):
        """Change the period, from now on; a birth tells it."""
        self.pace.normal_ms = self.settings.period_ms = period_ms
        self._repaced.set()
        self.conversation.announce()

    def keep(self, _reason=None):
        """Bring to flash what a power cut would take: readings, acknowledgements, now and then the time."""
        try:
            self.outbox.write()
            uptime_ms = self.clock.uptime_ms()
            if self.clock.state != UNKNOWN and uptime_ms >= self._time_kept_ms:
                self._time_kept_ms = uptime_ms + _KEEP_TIME_EVERY_MS
                replace(self.board.path("data/time"), str(self.clock.now_ms()))
        except OSError as error:
            self.note(
                "flash", NodeError("the flash does not take readings: %s" % error, "is it full, or worn out?")
            )

    async def stop(self):
        """Before a reboot or a sleep: say what is to be said, take leave of the broker, bring all to flash."""
        try:
            await asyncio.wait_for_ms(self.conversation.end(), _STOP_MS)
        except asyncio.TimeoutError:
            pass  # it was not connected
        self._time_kept_ms = 0
        self.keep()

    def went_well(self):
        """This start is no failed one: it worked for a minute, delivered, or goes to sleep."""
        try:
            remove(self.board.path("data/failed"))
            remove(self.board.path("begun"))
        except OSError as error:
            self.log("the flash fails: %s" % error)

    def busy(self):
        """Whether commands or replies are under way."""
        return bool(self._due_commands) or self.conversation.has_replies()

    def status(self):
        """Return what `doctor` shows."""
        return borrow("status").of(self)

    def note(self, stage, error):
        """Tell and keep what went wrong, a NodeError."""
        self.log("%s%s" % (error.message, "; " + error.remedy if error.remedy else ""))
        self.errors.note(stage, error.message, error.remedy)

    def _settings(self, _args):
        return borrow("status").settings(self.settings)

    def _set(self, arguments):
        period_ms = arguments["period_ms"]
        try:
            borrow("changes").keep_change(self.board.path("data/changed.json"), "period_ms", period_ms)
        except OSError as error:
            raise NodeError("the flash does not take the setting: %s" % error, "look at its room")
        self._set_period_ms(period_ms)
        return {"period_ms": period_ms}

    # What the conversation calls.

    def command(self, payload):
        """Take a command to be done beside everything else; one too many is told again by the gateway."""
        if self.commands is not None and len(self._due_commands) < _MOST_COMMANDS:
            self._due_commands.append(payload)
            self._commanded.set()

    def clock_was_set(self, delta_ms, first):
        """Date the readings that were taken before the clock knew the time, and keep the time soon."""
        if not first:
            return
        self._time_kept_ms = 0
        try:
            self.outbox.redate(delta_ms)
        except OSError as error:
            self.note(
                "flash", NodeError("the flash does not take the date: %s" % error, "is it full, or worn out?")
            )

    def link_was_lost(self):
        """Without a link a power cut takes most: what is in RAM goes to flash at once."""
        self._lost.set()

    # What goes on at the same time.

    async def _sample(self):
        await self._sampling.acquire()
        try:
            row = await self.sampler.sample()
            now_ms = self.clock.now_ms()
            seq = self.outbox.append(now_ms, self.clock.state, row)
        finally:
            self._sampling.release()
        self.pace.note(row, now_ms)
        for name, error, remedy in self.sampler.faults():
            self.errors.note("sample", "%s: %s" % (name, error), remedy)
        self._sampled_ms = self.clock.uptime_ms()
        self.delivered.clear()
        self.conversation.wake()
        return seq

    async def _sample_forever(self):
        due_ms = self.clock.uptime_ms()
        while True:
            await self._sample()
            now_ms = self.clock.uptime_ms()
            period_ms = self.pace.period_ms(self.clock.now_ms())
            due_ms += period_ms
            if due_ms < now_ms:  # a slow sensor: skip what is past, keep the beat
                due_ms += (now_ms - due_ms) // period_ms * period_ms + period_ms
            rest_ms = due_ms - now_ms - self.sampler.warm_up_ms
            if 0 < self.sampler.warm_up_ms < rest_ms:  # else the sensors stay awake
                if await self._repaced_within(rest_ms):
                    due_ms = self.clock.uptime_ms()
                    continue
                await self.sampler.wake()
            if await self._repaced_within(due_ms - self.clock.uptime_ms()):
                due_ms = self.clock.uptime_ms()

    async def _repaced_within(self, wait_ms):
        """Wait; return whether the period was changed meanwhile."""
        try:
            await asyncio.wait_for_ms(self._repaced.wait(), max(0, wait_ms))
        except asyncio.TimeoutError:
            return False
        self._repaced.clear()
        return True

    async def guard(self):
        """Feed the watchdog as long as readings are taken: a sensor must not hang a node for good."""
        while True:
            patience_ms = _PATIENCE_MS + 3 * self.pace.period_ms(self.clock.now_ms())
            if self.clock.uptime_ms() - self._sampled_ms < patience_ms:
                self.board.feed_watchdog()
            await asyncio.sleep_ms(_GUARD_EVERY_MS)

    async def _keep_forever(self):
        """Write seldom what the gateway has, soon what it has not: a write costs the flash an erase."""
        written_ms, seen = self.clock.uptime_ms(), 0
        while True:
            is_up = self.conversation.broker == "up"
            try:
                await asyncio.wait_for_ms(self._lost.wait(), _LOOK_EVERY_MS if is_up else _LOOK_EVERY_DOWN_MS)
            except asyncio.TimeoutError:
                pass
            self._lost.clear()
            exposed, now_ms = self.outbox.exposed, self.clock.uptime_ms()
            is_up = self.conversation.broker == "up"
            waited = exposed is not None and (exposed < seen or not is_up)
            if waited or now_ms - written_ms >= _WRITE_EVERY_MS:
                self.keep()
                written_ms = now_ms
            seen = self.outbox.next_seq

    async def obey(self):
        """Do commands as they come."""
        while True:
            await self._commanded.wait()
            self._commanded.clear()
            while self._due_commands:
                gc.collect()  # here: further in, what was left on the stack counts as used
                try:
                    reply = self.commands.take(self._due_commands[0])
                except MemoryError:
                    reply = None
                    self.log("no memory for a command: it is not done, and told again")
                if hasattr(reply, "send"):
                    reply = await reply
                self._due_commands.pop(0)
                if reply:
                    self.conversation.reply(reply)
