"""The node: samples on its period, keeps readings in the outbox, and hands them to the gateway.

    sampler -> outbox -> pack -> link -> broker -> gateway
                  ^------------- ack -------------'

Sampling never waits for the network. A reading counts as delivered when the gateway acknowledges it; the
broker's PUBACK only paces the sending.
"""

import asyncio
import gc

from micropython import const

from cityneuron import FIRMWARE, pack
from cityneuron.clock import ESTIMATED, UNKNOWN
from cityneuron.errors import NodeError, PackError
from cityneuron.link import Backoff, Link, client_id
from cityneuron.outbox import Outbox

_SYNC_EVERY_MS = const(21_600_000)
_SYNC_GRACE_MS = const(
    60_000
)  # so long readings wait for the first sync, rather than go out with a doubtful time
_WINDOW_PACKS = const(4)  # unacknowledged packs under way
_HEAD_BYTES = const(48)
_BIRTH_BYTES = const(768)


class Node:
    """Joins the parts. `board` gives network, time and watchdog; `log` takes one line of text."""

    def __init__(self, settings, boot, board, clock, sampler, log):
        self._settings = settings
        self._board = board
        self._clock = clock
        self._sampler = sampler
        self._log = log
        self._outbox = Outbox(boot, len(sampler.columns), settings.capacity_rows)
        row_bytes = 11 + 5 * len(sampler.columns)
        self._writer = pack.Writer(max(_BIRTH_BYTES, _HEAD_BYTES + settings.pack_rows * row_bytes))
        self._row = [None] * len(sampler.columns)
        self._wake = asyncio.Event()
        self._backoff = Backoff(1_000, 120_000, board.getrandbits)
        self._told_oldest = 0
        self._ack_topic = self._topic("ack").encode()
        self._synced_at_ms = None
        self.bad_messages = 0

    @property
    def outbox(self):
        return self._outbox

    async def run(self):
        """Work until cancelled; a fault that is not the network's ends it."""
        await asyncio.gather(self._sample_forever(), self._talk_forever())

    async def _sample_forever(self):
        period_ms = self._settings.period_ms
        due_ms = self._clock.uptime_ms()
        while True:
            row = await self._sampler.sample()
            self._outbox.append(self._clock.now_ms(), self._clock.state, row)
            self._wake.set()
            self._board.feed_watchdog()
            due_ms += period_ms
            now_ms = self._clock.uptime_ms()
            if due_ms < now_ms:  # a slow sensor: skip what is past, keep the beat
                due_ms += (now_ms - due_ms) // period_ms * period_ms + period_ms
            await asyncio.sleep_ms(due_ms - now_ms)

    async def _talk_forever(self):
        while True:
            try:
                await self._board.join_network()
                await self._sync_clock()
                await self._talk()
            except NodeError as error:
                self._log("%s%s" % (error.message, "; " + error.remedy if error.remedy else ""))
            gc.collect()
            await asyncio.sleep_ms(self._backoff.wait_ms())

    async def _sync_clock(self):
        """Ask the board for the time; readings taken before the first answer are dated again."""
        now_ms = self._clock.uptime_ms()
        if self._synced_at_ms is not None and now_ms - self._synced_at_ms < _SYNC_EVERY_MS:
            return
        epoch_ms = await self._board.epoch_ms()
        if epoch_ms is None:
            return
        first = self._clock.state == UNKNOWN
        delta_ms = self._clock.set(epoch_ms)
        self._synced_at_ms = now_ms
        if first:
            self._outbox.redate(delta_ms, ESTIMATED)
        self._board.keep_time(epoch_ms)

    async def _talk(self):
        """One connection, from the log-in to its end. Raises LinkDown."""
        settings = self._settings
        pack.write_death(self._writer, self._outbox.boot)
        link = Link(
            settings.broker_host,
            settings.broker_port,
            client_id(settings.node, self._board.serial()),
            self._on_message,
            user=settings.broker_user,
            password=settings.broker_password,
            will=(self._topic("death"), bytes(self._writer.payload())),
            keep_alive_s=settings.keep_alive_s,
            tls=self._board.tls() if settings.broker_tls else None,
        )
        tasks = []
        try:
            await link.open()
            tasks = [asyncio.create_task(self._serve(link)), asyncio.create_task(link.keep_alive())]
            await link.subscribe(self._topic("ack"))
            await link.subscribe(self._topic("cmd"))
            self._outbox.rewind()
            await self._publish_birth(link)
            self._backoff.reset()
            self._log("connected; %d readings wait" % self._outbox.held)
            await self._send_forever(link)
        finally:
            for task in tasks:
                task.cancel()
            await link.close()

    async def _serve(self, link):
        await link.serve()
        self._wake.set()  # the sender must not sleep on a dead link

    async def _publish_birth(self, link):
        outbox, settings = self._outbox, self._settings
        birth = {
            "node": settings.node,
            "kind": settings.kind,
            "fw": FIRMWARE,
            "hw": self._board.NAME,
            "boot": outbox.boot,
            "schema": self._sampler.schema,
            "cols": self._sampler.columns,
            "period_ms": settings.period_ms,
            "oldest": (outbox.boot, outbox.oldest),
            "next": outbox.next_seq,
            "clock": self._clock.state,
            "sn": self._board.serial(),
        }
        self._told_oldest, outbox.asked_for_gone = outbox.oldest, False
        pack.write_birth(self._writer, birth)
        await link.publish(self._topic("birth"), self._writer.payload(), retain=True)

    async def _send_forever(self, link):
        """Send what there is, at most a window ahead of the acknowledgements; begin again when none comes."""
        outbox, settings = self._outbox, self._settings
        timeout_ms = settings.ack_timeout_s * 1000
        acked, progress_ms = outbox.acked, self._clock.uptime_ms()
        while True:
            if link.error is not None:
                raise link.error
            now_ms = self._clock.uptime_ms()
            if outbox.acked != acked or outbox.sent <= outbox.acked:
                acked, progress_ms = outbox.acked, now_ms
            elif now_ms - progress_ms >= timeout_ms:
                self._log("no acknowledgement for %d s: sending again" % settings.ack_timeout_s)
                outbox.rewind()
                progress_ms = now_ms
            if outbox.asked_for_gone and outbox.oldest != self._told_oldest:
                await self._publish_birth(link)
            run = self._next_run()
            if run is not None:
                await self._send(link, run)
                continue
            self._wake.clear()
            try:
                await asyncio.wait_for_ms(
                    self._wake.wait(), max(1, min(timeout_ms, timeout_ms - now_ms + progress_ms))
                )
            except asyncio.TimeoutError:
                await self._sync_clock()

    def _next_run(self):
        pack_rows = self._settings.pack_rows
        run = self._outbox.next_run(pack_rows, _WINDOW_PACKS * pack_rows)
        if run is not None and run.clock == UNKNOWN and self._clock.uptime_ms() < _SYNC_GRACE_MS:
            return None
        return run

    async def _send(self, link, run):
        writer = self._writer
        pack.write_data_head(writer, self._sampler.schema, run.boot, run.seq0, run.t0_ms, run.clock, run.rows)
        for seq in range(run.seq0, run.seq0 + run.rows):
            t_ms = self._outbox.row_into(seq, self._row)
            pack.write_row(writer, t_ms - run.t0_ms, self._row)
        await link.publish(self._topic("replay" if run.replay else "data"), writer.payload())
        self._outbox.mark_sent(run)

    def _on_message(self, topic, payload):
        if topic != self._ack_topic:
            return  # commands come with the console
        try:
            boot, upto, again = pack.read_ack(payload)
        except PackError as error:
            self.bad_messages += 1
            self._log("bad acknowledgement: %s" % error)
            return
        if self._outbox.acknowledge(boot, upto, again):
            self._wake.set()

    def _topic(self, leaf):
        return "cn/v1/%s/%s" % (self._settings.node, leaf)
