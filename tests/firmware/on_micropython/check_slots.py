"""The choice of the slot, each promise a function: boot.py itself, on a flash of its own.

Arguments: boot.py, a path for the flash.
"""

import json
import os
import sys

import torn

from cityneuron.files import read_object, replace
from cityneuron.slots import Slots
from cityneuron.versions import is_newer

with open(sys.argv[1]) as file:
    BOOT = compile(file.read(), "boot.py", "exec")
flash = torn.Flash(sys.argv[2], 24)


def path(name):
    return "/" + name


def boot():
    """Start; return the slot whose library is found, or None."""
    flash.start()
    exec(BOOT, {})
    found = [slot for slot in ("a", "b") if "/%s/lib" % slot in sys.path]
    assert len(found) <= 1
    return found[0] if found else None


def lay(a="0.1.0", b=None, state=None):
    """Lay out a flash with these versions, and slot.json if there is to be one."""
    flash.restore()
    flash.start()
    for slot, version in (("a", a), ("b", b)):
        if version:
            os.mkdir("/" + slot)
            replace("/%s/manifest.json" % slot, json.dumps({"version": version, "board": "t", "files": {}}))
    if state is not None:
        replace("/slot.json", state if type(state) is str else json.dumps(state))


def on_trial(boots=0):
    return {"active": "a", "trial": "b", "boots": boots}


def settled(slot):
    return {"active": slot, "trial": None, "boots": 0}


def the_active_slot_starts():
    lay(b="0.2.0", state=settled("b"))
    assert boot() == "b" and Slots(path).version == "0.2.0" and not Slots(path).on_trial
    assert sys.path[0] == "/b/lib" and sys.path[1] == "/b"


def a_flash_without_slots_starts_from_lib():
    lay(a=None)
    assert boot() is None and "/lib" in sys.path
    assert Slots(path).running is None and Slots(path).idle is None


def a_trial_gets_three_starts_and_then_the_version_before_returns():
    lay(b="0.2.0", state=on_trial())
    assert [boot() for _ in range(5)] == ["b", "b", "b", "a", "a"]
    slots = Slots(path)
    assert slots.returned == "b" and slots.version == "0.1.0" and not slots.on_trial


def a_trial_that_is_confirmed_stays():
    lay(b="0.2.0", state=on_trial())
    assert boot() == "b" and Slots(path).on_trial
    Slots(path).confirm()
    assert [boot() for _ in range(5)] == ["b"] * 5 and not Slots(path).on_trial


def a_trial_can_be_given_up():
    lay(b="0.2.0", state=on_trial())
    assert boot() == "b"
    Slots(path).give_up()
    assert boot() == "a" and Slots(path).returned == "b"


def the_next_trial_forgets_the_failure_before():
    lay(b="0.2.0", state=dict(settled("a"), returned="b"))
    assert boot() == "a"
    Slots(path).begin_trial()
    assert boot() == "b" and Slots(path).returned is None


def a_slot_that_is_not_whole_is_not_started():
    lay(a="0.1.0", state=on_trial())
    assert boot() == "a"
    lay(a=None, b="0.2.0", state=settled("a"))
    assert boot() == "b"


def whatever_slot_json_holds_the_whole_slot_starts():
    for state in ("", "{", "null", "[]", "7", '{"active": "c", "trial": null, "boots": 0}', '{"active": "a"}'):
        lay(state=state)
        assert boot() == "a", state
        lay(a=None, b="0.2.0", state=state)
        assert boot() == "b", state
        lay(b="0.2.0", state=state)
        assert boot() in ("a", "b"), state
    for boots in ('"x"', "null", "[]", "-1"):
        lay(state='{"active": "a", "trial": "a", "boots": %s}' % boots)
        assert boot() == "a"


def a_lost_slot_json_tries_one_whole_slot_and_keeps_the_other():
    lay(b="0.2.0")
    assert [boot() for _ in range(4)] == ["a", "a", "a", "b"]
    lay(b="0.2.0")
    assert boot() == "a"
    Slots(path).confirm()
    assert [boot() for _ in range(5)] == ["a"] * 5


def the_new_slot_json_counts_when_the_rename_never_came():
    lay(b="0.2.0", state="")
    replace("/slot.json.new", json.dumps(settled("b")))
    assert boot() == "b"


def a_flash_that_cannot_count_tries_nothing():
    lay(b="0.2.0", state=on_trial())
    flash.start()
    flash.cut_at = 1
    exec(BOOT, {})
    assert "/a/lib" in sys.path and "/b/lib" not in sys.path
    assert read_object("/slot.json") == on_trial()


def cut_at_any_write_of_a_start_the_next_one_starts_a_whole_slot():
    for boots in (0, 3):
        cut_at = 1
        while True:
            lay(b="0.2.0", state=on_trial(boots))
            flash.start()
            flash.cut_at = cut_at
            exec(BOOT, {})
            was_cut = flash.is_cut
            assert boot() == ("b" if boots == 0 else "a")
            if not was_cut:
                break
            cut_at += 1
    lay(b="0.2.0", state=on_trial())
    starts = 0
    while boot() == "b":
        starts += 1
    assert starts == 3


def versions_are_compared_as_numbers():
    assert is_newer("0.10.0", "0.9.9") and is_newer("1.0", "0.9.9") and is_newer("0.1.0.1", "0.1.0")
    assert not is_newer("0.1.0", "0.1") and not is_newer("0.1", "0.1.0") and not is_newer("0.2.0", "0.2.0")
    assert not is_newer("", "0.1.0") and not is_newer("x", "0.1.0")


flash.save()
for name, check in sorted(globals().copy().items()):
    if (
        "_" in name
        and name[0] != "_"
        and callable(check)
        and name not in ("on_trial", "is_newer", "read_object")
    ):
        check()
        print("ok", name)
