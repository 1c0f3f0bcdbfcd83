"""Safe mode, after three failed starts in a row: no sampling, no network, only the console and the reason.

After an hour, or with changed settings or firmware, the node is tried again.
"""

import asyncio
import sys

from micropython import const

from cityneuron.commands import LATER
from cityneuron.console import LeaveToRepl, Lines
from cityneuron.health import Errors
from cityneuron.turns import forget

_SAFE_MS = const(3_600_000)


async def safe_mode(board, failed, log, stdin=None, for_ms=_SAFE_MS):
    """Only the console and the reason; return as run() does."""
    ended = asyncio.Event()
    told = {"again": True}
    errors = Errors(board.path("data/errors"), lambda: 0, log)

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
            await lines.run(stdin or getattr(sys.stdin, "buffer", sys.stdin))
        except LeaveToRepl as why:
            log(str(why))
            told["again"] = False
            ended.set()

    lines = Lines({"status": status, "reboot": reboot, "reset": reset}, errors, log)
    log("safe mode after %d failed starts: %s" % (failed.count, failed.reason))
    log("correct the cause, then say reboot; help lists what else there is")
    task = asyncio.create_task(answer())
    try:
        await asyncio.wait_for_ms(ended.wait(), for_ms)
    except asyncio.TimeoutError:
        log("an hour has gone: the node is tried again")
    task.cancel()
    if told["again"]:
        failed.clear()
    return told["again"]
