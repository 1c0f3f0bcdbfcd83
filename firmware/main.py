"""Runs after boot.py. No update replaces it: it hands over to the slot's start, and restarts when that ends."""

import sys
import time

_RESTART_AFTER_S = 30  # long enough to press Ctrl-C and reach the REPL


def restart():
    """Start anew; on a computer, where a process cannot, end it."""
    try:
        from machine import reset
    except ImportError:
        sys.exit(1)
    reset()


def main():
    try:
        from cityneuron import start

        again = start.run()
    except Exception as error:  # not even the start can be run
        sys.print_exception(error)
        print("the firmware cannot start; restart in %d s, Ctrl-C stops it" % _RESTART_AFTER_S)
        time.sleep(_RESTART_AFTER_S)
        again = True
    if again:
        restart()


main()
