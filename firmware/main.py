"""Runs after boot.py. No update replaces it: it hands over to the slot's start, and restarts when that ends.

In the file begun it counts starts that end before Python can say why (watchdog, crash, reset); what ends well
removes it, here or after a minute of work. The slot's start makes failed ones of them, which lead to safe mode;
firmware that does not come even that far is not tried again for an hour.
"""

import os
import sys
import time


def count():
    """Count this start; return how many in a row have begun. A loss of power or a sleep is no bad end."""
    try:
        import machine

        if machine.reset_cause() == getattr(machine, "DEEPSLEEP_RESET", None):  # a Pico has none
            return 1
        try:
            with open("begun") as file:
                boots = int(file.read())
        except (OSError, ValueError):
            boots = 0
        boots = max(boots, 1) if machine.reset_cause() == machine.PWRON_RESET else boots + 1
        with open("begun", "w") as file:
            file.write(str(boots))
        return boots
    except (ImportError, OSError):
        return 1  # what cannot be counted is tried


def main():
    pause_s = 30  # long enough to press Ctrl-C and reach the REPL
    try:
        if count() > 6:  # twice as many as lead to safe mode: it is not reached
            pause_s = 3_600
            raise RuntimeError("6 starts ended without a word")
        from cityneuron import start

        again = start.run()
    except Exception as error:  # not even the start can be run
        sys.print_exception(error)
        print("the firmware cannot start; restart in %d s, Ctrl-C stops it" % pause_s)
        time.sleep(pause_s)
        again = True
    finally:
        try:
            os.remove("begun")
        except OSError:
            pass  # it is not there
    if again:
        try:
            from machine import reset
        except ImportError:  # on a computer a process cannot
            sys.exit(1)
        reset()


main()
