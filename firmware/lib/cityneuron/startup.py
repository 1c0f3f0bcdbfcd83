"""What a start needs before the node is built, and nobody afterwards."""

import asyncio
import sys

from micropython import const

import cityneuron
from cityneuron.files import remove
from cityneuron.seldom import borrow

_SELDOM = const(
    "ntp birth status order recall deeds faults scan turns answers settings changes slots updater login"
)


def this_board():
    """Return the Board that this MicroPython runs on."""
    if sys.platform == "esp32":
        from boards.esp32 import Board
    elif sys.platform == "rp2":
        from boards.pico_w import Board
    else:
        from boards.unix import Board
    return Board()


def before(board, log):
    """Learn which version runs. Return how safe mode ended, None if the node is to work."""
    cityneuron.FIRMWARE = borrow("slots").Slots(board.path).version  # before what tells it is imported
    failed = borrow("failures").failed_starts(board, log)
    return asyncio.run(borrow("safe").safe_mode(board, failed, log)) if failed.too_many else None


def fetched(board, log):
    """Let this start fetch an update, if it is for that."""
    slots = borrow("slots").Slots(board.path, cityneuron.FIRMWARE)
    updater = borrow("updater").Updater(slots, board.path, borrow("turns").image_of(board), log)
    if not updater.is_to_fetch():
        return False
    remove(board.path("begun"))  # the fetch keeps a count of its own
    chosen = borrow("settings", "changes").load(board.path("settings.json"))
    asyncio.run(updater.fetch(board, chosen))
    return True


def learn_names():
    """Load and let go what is seldom needed: all names get their places while memory is in one piece.

    Their table doubles when it is full, and later there may be no room for that in one piece.
    """
    for name in _SELDOM.split():
        borrow(name, "replies", "changes")
    asyncio.StreamReader  # noqa: B018  # asyncio loads this part of itself at its first use
