"""Runs after boot.py: starts the node of this board, and says what failed when it does not start."""

import sys
import time

_RESTART_AFTER_S = 30  # long enough to press Ctrl-C and reach the REPL


def board():
    """Return the Board that this MicroPython runs on."""
    if sys.platform == "esp32":
        from boards.esp32 import Board
    elif sys.platform == "rp2":
        from boards.pico_w import Board
    else:
        from boards.unix import Board
    return Board()


def main():
    from cityneuron import app
    from cityneuron.errors import NodeError

    try:
        app.run(board())
    except NodeError as error:
        print(
            "the node cannot start: %s\n  remedy: %s"
            % (error.message, error.remedy or "see firmware/README.md")
        )
    except Exception as error:  # a fault of ours: show it, then start anew
        sys.print_exception(error)
    if sys.platform in ("esp32", "rp2"):
        import machine

        print("restart in %d s; Ctrl-C stops it" % _RESTART_AFTER_S)
        time.sleep(_RESTART_AFTER_S)
        machine.reset()
    sys.exit(1)


main()
