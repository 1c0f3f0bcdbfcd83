"""What a node says to its gateway and hears from it, over connection after connection.

    network -> clock -> broker -> birth -> readings, replies, births ...

A reading counts as delivered when the gateway acknowledges it; the broker's PUBACK only paces the sending. The
clock comes before the broker: certificates are judged by it.
"""

import asyncio
import gc

from micropython import const

from cityneuron import pack
from cityneuron.clock import UNKNOWN
from cityneuron.errors import ClockError, LinkDown, NodeError, PackError
from cityneuron.link import Backoff, Link
from cityneuron.seldom import borrow

_SYNC_EVERY_MS = const(21_600_000)
_SYNC_AGAIN_MS = const(600_000)  # while connected: looking a name up may take seconds
_SYNC_GRACE_MS = const(
    60_000
)  # so long readings wait for the first sync, rather than go out with a doubtful time
_WINDOW_PACKS = const(4)  # unacknowledged packs under way
_MOST_REPLIES = const(8)
_MOST_PATIENCE_MS = const(
    600_000
)  # with a gateway that is silent: what is under way is sent again ever less often
_HEAD_BYTES = const(48)
_BIRTH_BYTES = const(768)


class Conversation:
    """The network side of a node. `stage`, `net` and `broker` tell how far it is."""

    def __init__(self, node, servers):
        self.stage, self.net, self.broker = "network", "joining", "down"
        self.last_ack_ms = None
        self._proven = False  # a reading of this run was acknowledged
        self.bad_messages = 0
        self._node = node
        self._settings, self._board, self._clock = node.settings, node.board, node.clock
        self._outbox, self._sampler = node.outbox, node.sampler
        self.servers = servers
        row_bytes = 11 + 5 * len(self._sampler.columns)
        self._writer = pack.Writer(max(_BIRTH_BYTES, _HEAD_BYTES + self._settings.pack_rows * row_bytes))
        self._row = [None] * len(self._sampler.columns)
        self._wake, self._ended = asyncio.Event(), asyncio.Event()
        self._backoff = Backoff(1_000, 120_000, self._board.getrandbits)
        self._told_oldest = None
        self._ack_topic, self._cmd_topic = self._topic("ack").encode(), self._topic("cmd").encode()
        self._replies = []
        self._first_seq = self._outbox.next_seq
        self._sync_due_ms = 0
        self._ending = False

    async def talk(self):
        """Connect, serve, and connect again, until end()."""
        while not self._ending:
            try:
                self.stage, self.net = "network", "joining"
                await self._board.join_network()
                self.stage, self.net = "clock", "up"
                await self._sync_clock()
                self.stage = "broker"
                await self._connect()
            except NodeError as error:
                self._node.note(self.stage if self.stage in ("network", "birth") else "broker", error)
                if self.stage == "network":
                    self.net = "down"
            if self.broker == "up":
                self.broker = "down"
                self._node.link_was_lost()
            gc.collect()
            if not self._ending:
                await asyncio.sleep_ms(self._backoff.wait_ms())
        self._ended.set()

    async def end(self):
        """Say the replies that wait, take leave of the broker; returns when that is done."""
        self._ending = True
        self._wake.set()
        await self._ended.wait()

    def wake(self):
        """There may be something to send."""
        self._wake.set()

    def announce(self):
        """What the birth told has changed."""
        self._told_oldest = None
        self._wake.set()

    def reply(self, payload):
        """Publish a reply as soon as there is a connection."""
        self._replies.append(payload)
        del self._replies[:-_MOST_REPLIES]
        self._wake.set()

    def has_replies(self):
        return bool(self._replies)

    async def _sync_clock(self):
        """Ask for the time when it is due."""
        age_ms = self._clock.age_ms()
        if age_ms is not None and age_ms < _SYNC_EVERY_MS:
            return
        self._sync_due_ms = self._clock.uptime_ms() + _SYNC_AGAIN_MS
        try:
            epoch_ms = await self.servers.ask()
        except ClockError as error:
            self._node.note("clock", error)
            return
        first = self._clock.state == UNKNOWN
        delta_ms = self._clock.set(epoch_ms)
        self._board.set_time(epoch_ms)
        self._node.clock_was_set(delta_ms, first)

    # One connection.

    async def _connect(self):
        """One connection, from the log-in to its end. Raises LinkDown."""
        link = Link(await self._enter(), self._on_message, self._settings.keep_alive_s)
        tasks = [asyncio.create_task(self._serve(link)), asyncio.create_task(link.keep_alive())]
        try:
            await link.subscribe(self._topic("ack"))
            await link.subscribe(self._topic("cmd"))
            self.stage = "birth"
            self._outbox.rewind()
            await self._publish_birth(link)
            self.stage = "acked" if self._proven else "sample"
            self.broker = "up"
            self._backoff.reset()
            self._node.log("connected; %d readings wait" % self._outbox.held)
            await self._speak(link)
        finally:
            for task in tasks:
                task.cancel()
            await link.close()

    def _enter(self):
        """Begin to log in; to be awaited."""
        settings, login = self._settings, borrow("login")
        pack.write_death(self._writer, self._outbox.boot)
        connect = login.connect(
            login.client_id(settings.node, self._board.serial()),
            settings.keep_alive_s,
            (self._topic("death"), self._writer.payload()),
            settings.broker_user,
            settings.broker_password,
        )
        tls = self._tls() if settings.broker_tls else None
        return login.enter(settings.broker_host, settings.broker_port, connect, tls)

    def _tls(self):
        try:
            return self._board.tls()
        except (OSError, ValueError) as error:
            raise LinkDown("no certificate: %s" % error, "provision the node again")

    async def _serve(self, link):
        await link.serve()
        self._wake.set()  # the sender must not sleep on a dead link

    async def _publish_birth(self, link):
        self._told_oldest, self._outbox.asked_for_gone = self._outbox.oldest, False
        borrow("birth").write(self._writer, self._node, self._told_oldest)
        await link.publish(self._topic("birth"), self._writer.payload(), retain=True)

    async def _speak(self, link):
        """Say what there is, at most a window ahead of the acknowledgements; begin again when none comes."""
        outbox, settings = self._outbox, self._settings
        timeout_ms = settings.ack_timeout_s * 1000
        acknowledged, progress_ms, patience_ms = outbox.acknowledged, self._clock.uptime_ms(), timeout_ms
        while not self._ending or self._replies:
            if link.error is not None:
                raise link.error
            now_ms = self._clock.uptime_ms()
            if outbox.acknowledged != acknowledged or not outbox.under_way:
                acknowledged, progress_ms, patience_ms = outbox.acknowledged, now_ms, timeout_ms
            elif now_ms - progress_ms >= patience_ms:
                self._node.log("no acknowledgement for %d s: sending again" % (patience_ms // 1000))
                outbox.rewind()
                progress_ms, patience_ms = now_ms, min(2 * patience_ms, _MOST_PATIENCE_MS)
            if await self._say(link):
                continue
            self._wake.clear()
            try:
                wait_ms = max(1, min(timeout_ms, patience_ms - now_ms + progress_ms))
                await asyncio.wait_for_ms(self._wake.wait(), wait_ms)
            except asyncio.TimeoutError:
                if now_ms >= self._sync_due_ms:
                    await self._sync_clock()

    async def _say(self, link):
        """Publish the one thing that is due most: a reply, a birth, readings. Returns False when nothing is."""
        commands = self._node.commands
        if not self._replies and hasattr(commands, "next_reply"):
            later = commands.next_reply()
            if later:
                self._replies.append(later)
        if self._replies:
            reply = self._replies[0]
            await link.publish(self._topic("reply"), reply)
            if self._replies and self._replies[0] is reply:
                self._replies.pop(0)
            return True
        asked = self._outbox.asked_for_gone and self._outbox.oldest != self._told_oldest
        if self._told_oldest is None or asked:
            await self._publish_birth(link)
            return True
        run = None if self._ending else self._next_run()
        if run is None:
            return False
        await self._send(link, run)
        return True

    def _next_run(self):
        pack_rows = self._settings.pack_rows
        run = self._outbox.next_run(pack_rows, _WINDOW_PACKS * pack_rows)
        doubtful = run is not None and run.clock == UNKNOWN and run.boot == self._outbox.boot
        return None if doubtful and self._clock.uptime_ms() < _SYNC_GRACE_MS else run

    async def _send(self, link, run):
        writer = self._writer
        row = self._row if run.columns == len(self._row) else [None] * run.columns
        pack.write_data_head(writer, run.schema, run.boot, run.seq0, run.t0_ms, run.clock, run.rows)
        for seq in range(run.seq0, run.seq0 + run.rows):
            t_ms = self._outbox.row_into(seq, row)
            pack.write_row(writer, t_ms - run.t0_ms, row)
        await link.publish(self._topic("replay" if run.replay else "data"), writer.payload())
        self._outbox.mark_sent(run)

    def _on_message(self, topic, payload):
        if topic == self._cmd_topic:
            self._node.command(bytes(payload))
        elif topic == self._ack_topic:
            try:
                boot, upto, again = pack.read_ack(payload)
            except PackError as error:
                self.bad_messages += 1
                self._node.log("bad acknowledgement: %s" % error)
                return
            if self._outbox.acknowledge(boot, upto, again):
                self._acknowledged()

    def _acknowledged(self):
        self.last_ack_ms = self._clock.now_ms()
        if self._outbox.acked > self._first_seq and not self._proven:
            self._proven, self.stage = True, "acked"
            self._node.on_proof()
        if not self._outbox.held:
            self._node.delivered.set()
        self._wake.set()

    def _topic(self, leaf):
        return "cn/v1/%s/%s" % (self._settings.node, leaf)
