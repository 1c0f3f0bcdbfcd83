"""Runs first on every start: chooses the slot, /a or /b, that holds the firmware.

No update replaces this file, so it is small, imports nothing out of a slot, and ends well whatever the flash
holds. A version on trial is started three times; unless it was confirmed by then, the one before comes back.
"""

import json
import os
import sys

_TRIES = 3


def _state():
    """Return what slot.json says; None when there is none that makes sense."""
    for name in ("/slot.json", "/slot.json.new"):
        try:
            with open(name) as file:
                state = json.load(file)
            if state["active"] in ("a", "b") and state["trial"] in (None, "a", "b") and state["boots"] >= 0:
                return state
        except Exception:  # whatever is wrong with it, the node must start
            pass
    return None


def _whole(slot):
    """Whether a slot was written to its end: the manifest comes last."""
    try:
        os.stat("/%s/manifest.json" % slot)
        return True
    except OSError:
        return False


def _keep(**state):
    try:
        with open("/slot.json.new", "w") as file:
            json.dump(state, file)
        os.rename("/slot.json.new", "/slot.json")
        return True
    except OSError:
        return False


def choose():
    """Return the slot to start, or None when neither is whole; count the start of a trial."""
    whole = [slot for slot in ("a", "b") if _whole(slot)]
    if not whole:
        return None
    state = _state() or {"active": whole[-1], "trial": whole[0], "boots": 0}  # lost: try one, keep the other
    active, trial, boots = state["active"], state["trial"], state["boots"]
    if active not in whole:
        return whole[0]
    if trial is None or trial == active:
        return active
    if trial in whole and boots < _TRIES:
        # What cannot be counted is not tried: it might never come back.
        return trial if _keep(active=active, trial=trial, boots=boots + 1) else active
    _keep(active=active, trial=None, boots=0, returned=trial)
    return active


def main():
    slot = choose()
    for path in ("/lib",) if slot is None else ("/" + slot, "/" + slot + "/lib"):
        if path not in sys.path:
            sys.path.insert(0, path)


main()
for name in ("choose", "main", "_keep", "_state", "_whole"):
    del globals()[name]  # main.py runs among these names, and the node needs their memory
