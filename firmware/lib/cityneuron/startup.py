"""What a start needs before the node is built, and nobody afterwards."""

import asyncio
import sys

from micropython import const

from cityneuron.files import remove
from cityneuron.seldom import borrow

_SELDOM = const("ntp birth status order recall deeds turns answers settings sleep updater refusals")


def this_board():
    """Return the Board that this MicroPython runs on."""
    if sys.platform == "esp32":
        from boards.esp32 import Board
    elif sys.platform == "rp2":
        from boards.pico_w import Board
    else:
        from boards.unix import Board
    return Board()


def fetched(board, slots, log):
    """Let this start fetch an update, if it is for that."""
    updater = borrow("updater").Updater(slots, board.path, borrow("turns").image_of(board), log)
    if not updater.is_to_fetch():
        return False
    remove(board.path("begun"))  # the fetch keeps a count of its own
    chosen = borrow("settings").load(board.path("settings.json"))
    asyncio.run(updater.fetch(board, chosen))
    return True


def learn_names():
    """Load and let go what is seldom needed: all names get their places while memory is in one piece.

    Their table doubles when it is full, and later there may be no room for that in one piece.
    """
    for name in _SELDOM.split():
        borrow(name, "replies")
    asyncio.StreamReader  # noqa: B018  # asyncio loads this part of itself at its first use
