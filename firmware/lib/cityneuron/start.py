"""The start of a slot: chooses the board, runs the node, and says what failed when it does not run.

After three starts in a row that failed within a minute comes safe mode: no sampling, no network, only the
console and the reason. After an hour, or with changed settings or firmware, the node is tried again.
"""

import asyncio
import sys
import time

from micropython import const

import cityneuron
from cityneuron import health
from cityneuron.clock import Clock
from cityneuron.commands import LATER
from cityneuron.console import Console, LeaveToRepl
from cityneuron.errors import NodeError
from cityneuron.operations import Operations, Restart, forget
from cityneuron.slots import Slots

_PAUSE_S = const(30)  # long enough to press Ctrl-C and reach the REPL
_PROVED_MS = const(60_000)
_SAFE_MS = const(3_600_000)


def this_board():
    """Return the Board that this MicroPython runs on."""
    if sys.platform == "esp32":
        from boards.esp32 import Board
    elif sys.platform == "rp2":
        from boards.pico_w import Board
    else:
        from boards.unix import Board
    return Board()


def run(board=None, log=print, pause_s=_PAUSE_S):
    """Run until a restart is due (True) or somebody wants the REPL (False)."""
    board = board or this_board()
    slots = Slots(board.path)
    failed = health.failed_starts(board.path, slots)
    if failed.too_many:
        return asyncio.run(safe_mode(board, failed, log))
    began = board.ticks_ms()
    try:
        return _run(board, slots, log)
    except NodeError as error:
        reason, remedy = error.message, error.remedy
    except Exception as error:  # a fault of ours: show it, then start anew
        sys.print_exception(error)
        reason, remedy = repr(error), ""
    log("the node cannot go on: %s\n  remedy: %s" % (reason, remedy or "see firmware/README.md"))
    _keep(board, failed, began, reason, remedy, log)
    log("restart in %d s; Ctrl-C stops it" % pause_s)
    time.sleep(pause_s)
    return True


def _run(board, slots, log):
    """Let the node and its operations work; what is in RAM goes to flash however that ends."""
    cityneuron.FIRMWARE = slots.version  # before the modules that tell it are imported
    from cityneuron import app

    node = app.build(board, log)
    operations = Operations(board, node, slots, log)
    try:
        asyncio.run(_together(app.work(node), operations.run()))
    except Restart as why:
        log("restart: %s" % why)
    except LeaveToRepl as why:
        log(str(why))
        return False
    finally:
        node.keep()
    return True


async def _together(*work):
    await asyncio.gather(*work)


def _keep(board, failed, began, reason, remedy, log):
    """Note the failure; a flash that cannot even take that must not keep the node from starting again."""
    try:
        clock = Clock(board.ticks_ms, board.ticks_diff, 0)
        health.Errors(board.path("data/errors"), clock.now_ms, log).note("start", reason, remedy)
        if board.ticks_diff(board.ticks_ms(), began) < _PROVED_MS:
            failed.add(reason)
    except OSError as error:
        log("the flash takes no note of it: %s" % error)


async def safe_mode(board, failed, log, stdin=None, for_ms=_SAFE_MS):
    """Only the console and the reason; return as run() does."""
    ended, leave = asyncio.Event(), []
    errors = health.Errors(board.path("data/errors"), lambda: 0, log)

    def status(_):
        return {"safe_mode": failed.reason, "failed_starts": failed.count, "errors": errors.last()}

    def reboot(_):
        ended.set()
        return LATER

    def reset(_):
        forget(board.path)
        return reboot(_)

    async def answer():
        try:
            await console.run(stdin or getattr(sys.stdin, "buffer", sys.stdin))
        except LeaveToRepl as why:
            log(str(why))
            leave.append(why)
            ended.set()

    console = Console({"status": status, "reboot": reboot, "reset": reset}, errors, log)
    log("safe mode after %d failed starts: %s" % (failed.count, failed.reason))
    log("correct the cause, then say reboot; help lists what else there is")
    task = asyncio.create_task(answer())
    try:
        await asyncio.wait_for_ms(ended.wait(), for_ms)
    except asyncio.TimeoutError:
        log("an hour has gone: the node is tried again")
    task.cancel()
    if not leave:
        failed.clear()
    return not leave
