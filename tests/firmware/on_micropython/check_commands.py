"""Commands, each promise a function, on a flash of its own; prints the names of those that hold.

Argument: a path for the flash. The names that begin with `cut` cut the power at every write.
"""

import asyncio
import sys

import torn

from cityneuron import pack, replies
from cityneuron.clock import SYNCED, UNKNOWN
from cityneuron.commands import ACCEPTED, DONE, EXPIRED, FAILED, LATER, REFUSED, Commands, Refused
from cityneuron.errors import NodeError

ON_TIME = 1_790_000_000_000
flash = torn.Flash(sys.argv[1], 24)
log = []


class Clock:
    state = SYNCED

    def now_ms(self):
        return ON_TIME - 1


class Node:
    """Counts what it is told to do."""

    def __init__(self):
        self.done = []
        self.clock = Clock()
        self.actions = {
            "sample": self.do("sample", None),
            "set": self.do("set", None),
            "status": self.do("status", {"held": 3, "trial": True}),
            "reboot": self.do("reboot", LATER),
            "update": self.do("update", LATER),
            "settings": self.fail,
            "identify": self.later,
        }

    def do(self, name, result):
        def action(arguments):
            self.done.append((name, arguments))
            return result

        return action

    def fail(self, _):
        raise NodeError("no settings", "provision the node")

    async def later(self, arguments):
        await asyncio.sleep_ms(1)
        if arguments:
            raise Refused("it blinks already")
        return [1, None]

    def start(self):
        return Commands(self.actions, self.clock, "/data/commands", log.append)


def fresh():
    flash.restore()
    flash.start()
    node = Node()
    return node, node.start()


def command(ident, name, arguments=None, expires_ms=ON_TIME, version=1):
    writer = pack.Writer(1024)
    writer.array(5)
    writer.integer(version)
    writer.integer(ident)
    writer.text(name)
    replies.write_value(writer, arguments or {})
    writer.integer(expires_ms)
    return writer.payload()


def said(reply):
    """Return (id, status, detail)."""
    return tuple(pack.decode(reply)[1:])


def a_command_is_done_and_its_reply_says_what_came_of_it():
    node, taken = fresh()
    assert said(taken.take(command(7, "set", {"period_ms": 5000}))) == (7, DONE, None)
    assert said(taken.take(command(8, "status"))) == (8, DONE, {"held": 3, "trial": 1})
    assert said(taken.take(command(9, "settings"))) == (
        9,
        FAILED,
        {"error": "no settings", "remedy": "provision the node"},
    )
    assert node.done == [("set", {"period_ms": 5000}), ("status", {})]


def a_command_delivered_twice_is_done_once_and_answered_twice_also_after_a_restart():
    node, taken = fresh()
    first = taken.take(command(7, "sample"))
    assert taken.take(command(7, "sample")) == first
    flash.start()
    assert node.start().take(command(7, "sample")) == first
    assert len(node.done) == 1


def what_is_late_expires_but_only_by_a_clock_that_is_right():
    node, taken = fresh()
    assert said(taken.take(command(1, "sample", expires_ms=ON_TIME - 2))) == (1, EXPIRED, None)
    node.clock.state = UNKNOWN
    assert said(taken.take(command(2, "sample", expires_ms=5))) == (2, DONE, None)
    assert len(node.done) == 1


def what_makes_no_sense_is_refused_with_the_reason():
    node, taken = fresh()
    refused = (
        ("dance", {}, "cannot do dance"),
        ("lamp", {"level_pct": 5}, "cannot do lamp"),
        ("set", {}, "set needs period_ms"),
        ("set", {"period_ms": 1}, "period_ms is not within 20 to 86400000"),
        ("set", {"period_ms": "often"}, "period_ms is no integer"),
        ("set", {"period_ms": 5000, "broker_host": "evil"}, "set takes no broker_host"),
        ("update", {"url": 5}, "url is no text"),
        ("update", {"version": "0.2.0"}, "update needs url"),
    )
    for number, (name, arguments, reason) in enumerate(refused):
        _, status, detail = said(taken.take(command(number + 1, name, arguments)))
        assert status == REFUSED and reason in detail["error"], (name, detail)
    assert not node.done


def what_is_no_command_has_no_reply():
    node, taken = fresh()
    for payload in (b"", b"\x85\x01", b"\xff" * 9, command(1, "sample", version=2), command(0, "sample")):
        assert taken.take(payload) is None
    assert taken.take(command(1, "sample", expires_ms=0)) is None
    assert taken.bad_messages == 6 and not node.done


def a_coroutine_is_answered_when_it_has_ended():
    _, taken = fresh()
    heard = []
    taken.changed = lambda: heard.append(1)

    async def scene():
        assert taken.take(command(1, "identify")) is None and taken.next_reply() is None
        assert said(taken.take(command(1, "identify")))[1] == ACCEPTED
        assert taken.take(command(2, "identify", {"seconds": 3})) is None
        while len(heard) < 2:
            await asyncio.sleep_ms(1)

    asyncio.run(scene())
    assert said(taken.next_reply()) == (1, DONE, [1, None])
    assert said(taken.next_reply()) == (2, REFUSED, {"error": "it blinks already"})
    assert taken.next_reply() is None


def a_reboot_is_accepted_and_done_after_the_restart():
    node, taken = fresh()
    assert said(taken.take(command(5, "reboot"))) == (5, ACCEPTED, {"name": "reboot"})
    assert taken.next_reply() is None
    flash.start()
    taken = node.start()
    assert said(taken.next_reply()) == (5, DONE, None) and taken.next_reply() is None
    assert said(taken.take(command(5, "reboot"))) == (5, DONE, None)
    assert len(node.done) == 1


def the_last_word_of_an_update_is_the_updaters_also_restarts_later():
    node, taken = fresh()
    taken.take(command(5, "update", {"url": "http://x/y"}))
    for _ in range(3):
        flash.start()
        taken = node.start()
        assert taken.next_reply() is None
        assert said(taken.take(command(5, "update", {"url": "http://x/y"})))[1] == ACCEPTED
    taken.finish("update", FAILED, {"error": "returned"})
    assert said(taken.next_reply()) == (5, FAILED, {"error": "returned"})
    flash.start()
    assert said(node.start().take(command(5, "update")))[1] == FAILED and len(node.done) == 1


def sixteen_are_remembered_and_what_is_not_finished_longest():
    node, taken = fresh()
    taken.take(command(1, "update", {"url": "http://x/y"}))
    for ident in range(2, 42):
        taken.take(command(ident, "sample"))
        if ident % 7 == 0:
            flash.start()
            taken = node.start()
    done = len(node.done)
    for ident in [1] + list(range(27, 42)):
        taken.take(command(ident, "sample"))
    assert len(node.done) == done
    taken.take(command(26, "sample"))
    assert len(node.done) == done + 1


def an_answer_that_fits_no_reply_says_so():
    node, taken = fresh()
    node.actions["status"] = lambda _: "x" * 2000
    _, status, detail = said(taken.take(command(1, "status")))
    assert status == FAILED and "does not fit" in detail["error"]
    node.actions["sample"] = lambda _: 1.5
    assert said(taken.take(command(2, "sample")))[1] == FAILED


def a_fault_of_an_action_does_not_silence_the_command():
    node, taken = fresh()
    node.actions["sample"] = lambda _: 1 // 0
    assert said(taken.take(command(2, "sample")))[1] == FAILED


def damaged_replies_on_flash_are_forgotten():
    node, taken = fresh()
    taken.take(command(1, "sample"))
    taken.take(command(2, "sample"))
    with open("/data/commands/0", "wb") as file:
        file.write(b"\x00" * 30)
    again = node.start()
    again.take(command(2, "sample"))
    again.take(command(1, "sample"))
    assert len(node.done) == 3 and "damaged" in log[-1]


def on_a_flash_that_takes_nothing_nothing_is_done():
    node, taken = fresh()
    flash.cut_at = 1
    _, status, detail = said(taken.take(command(1, "reboot")))
    assert status == FAILED and not node.done and "flash" in detail["error"]


def cut_at_any_write_a_command_is_never_done_twice_and_its_last_word_stays():
    points = 0
    for name in ("sample", "reboot", "status"):
        cut_at = 0
        while True:
            cut_at += 1
            node, taken = fresh()
            flash.cut_at = cut_at
            taken.take(command(7, name))
            was_cut = flash.is_cut
            flash.start()
            taken = node.start()
            first = said(taken.take(command(7, name)))
            assert len(node.done) == 1, (name, cut_at)
            assert first[1] in (DONE, FAILED) or name == "reboot"
            flash.start()
            assert said(node.start().take(command(7, name)))[1] == (DONE if name == "reboot" else first[1])
            assert len(node.done) == 1
            if not was_cut:
                break
            points += 1
    print("cuts", points)


flash.save()
for name, check in sorted(globals().copy().items()):
    if "_" in name and name[0] != "_" and callable(check):
        check()
        print("ok", name)
