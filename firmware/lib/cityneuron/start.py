"""The start of a slot: chooses the board, runs the node, and says what failed when it does not run.

After three starts in a row that failed within a minute comes safe mode.
"""

import asyncio
import gc
import sys
import time

from micropython import const

from cityneuron.console import LeaveToRepl
from cityneuron.errors import NodeError, Restart
from cityneuron.files import exists
from cityneuron.operations import Operations
from cityneuron.seldom import borrow

_PAUSE_S = const(30)  # long enough to press Ctrl-C and reach the REPL
_COLLECT_EVERY_BYTES = const(
    4_096
)  # else what stays comes to lie between what goes, and no room is in one piece


def run(board=None, log=print, pause_s=_PAUSE_S):
    """Run until a restart is due (True) or somebody wants the REPL (False)."""
    board = board or borrow("startup").this_board()
    ended = borrow("startup").before(board, log)
    if ended is not None:
        return ended
    began = board.ticks_ms()
    try:
        if exists(board.path("data/update.json")) and borrow("startup").fetched(board, log):
            return True
        return _run(board, log)
    except NodeError as error:
        reason, remedy = error.message, error.remedy
    except Exception as error:  # a fault of ours: show it, then start anew
        sys.print_exception(error)
        reason, remedy = repr(error), ""
    log("the node cannot go on: %s\n  remedy: %s" % (reason, remedy or "see firmware/README.md"))
    borrow("failures").note(board, began, reason, remedy, log)
    log("restart in %d s; Ctrl-C stops it" % pause_s)
    time.sleep(pause_s)
    return True


def _run(board, log):
    """Let the node and its operations work; what is in RAM goes to flash however that ends."""
    gc.threshold(_COLLECT_EVERY_BYTES)
    borrow("startup").learn_names()
    gc.collect()
    node = borrow("app").build(board, log)
    gc.collect()
    operations = Operations(board, node, log)
    try:
        asyncio.run(_together(node.work(), operations.run()))
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
