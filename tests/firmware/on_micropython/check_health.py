"""Errors on flash, failed starts, the short status: each promise a function. Argument: a path for the flash."""

import sys

import torn

from cityneuron.commands import DONE
from cityneuron.deeds import shortened
from cityneuron.failures import FailedStarts
from cityneuron.health import Errors
from cityneuron.pack import Writer
from cityneuron.replies import fits, write_reply

flash = torn.Flash(sys.argv[1], 24)
log = []


def errors():
    return Errors("/data/errors", lambda: 1_790_000_000_000, log.append)


def fresh():
    flash.restore()
    flash.start()
    return errors()


def texts(kept, most=20):
    return [row["text"] for row in kept.last(most)]


def the_last_twenty_that_differ_are_kept_over_a_restart():
    kept = fresh()
    for letter in "abcdefghijklmnopqrstuvwxyz":
        kept.note("sample", "sensor " + letter, "look")
    assert texts(kept) == ["sensor " + letter for letter in "zyxwvutsrqponmlkjihg"]
    flash.start()
    kept = errors()
    assert texts(kept, 2) == ["sensor z", "sensor y"]
    kept.note("sample", "another", "look")
    assert texts(kept, 2) == ["another", "sensor z"] and len(texts(kept)) == 20
    assert kept.last(1)[0] == {"stage": "sample", "text": "another", "remedy": "look", "ms": 1_790_000_000_000}


def an_error_that_comes_again_costs_no_flash():
    kept = fresh()
    kept.note("network", "no Wi-Fi (status 201)")
    writes = flash.writes
    for status in range(500):
        kept.note("network", "no Wi-Fi (status %d)" % status)
    assert flash.writes == writes and len(texts(kept)) == 1
    flash.start()
    errors().note("network", "no Wi-Fi (status 9)")
    assert flash.writes == 0
    errors().note("broker", "no Wi-Fi (status 9)")
    assert flash.writes > 0


def long_texts_are_cut_in_any_language():
    kept = fresh()
    kept.note("sample", "x" * 5000, "y" * 5000)
    kept.note("sample", "水" * 5000, "闸" * 5000)
    found = kept.last()
    assert len(found) == 2 and found[1]["text"] == "x" * 80 and found[0]["text"][:20] == "水" * 20


def a_torn_or_strange_file_costs_only_what_it_held():
    kept = fresh()
    kept.note("a", "first")
    kept.note("a", "second")
    with open("/data/errors", "r+b") as file:
        file.write(b"\x00" * 256)
    assert texts(errors()) == ["second"]
    with open("/data/errors", "wb") as file:
        file.write(b'[1]\n{"n": "x"}')
    kept = errors()
    kept.note("a", "third")
    assert "third" in texts(kept)


def cut_at_any_write_the_errors_before_are_still_there():
    cut_at = 0
    while True:
        cut_at += 1
        kept = fresh()
        kept.note("a", "first")
        kept.note("a", "second")
        flash.writes, flash.cut_at = 0, cut_at
        kept.note("a", "third")
        was_cut = flash.is_cut
        flash.start()
        assert texts(errors())[-2:] == ["second", "first"]
        if not was_cut:
            break
    assert cut_at > 2


def three_failed_starts_of_one_state_are_too_many():
    fresh()
    for count in range(3):
        failed = FailedStarts("/data/failed", "a 0.1.0 7")
        assert failed.count == count and not failed.too_many
        failed.add("no settings")
    failed = FailedStarts("/data/failed", "a 0.1.0 7")
    assert failed.too_many and failed.reason == "no settings"
    other = FailedStarts("/data/failed", "b 0.2.0 7")
    assert not other.too_many and other.reason == ""
    failed.clear()
    assert FailedStarts("/data/failed", "a 0.1.0 7").count == 0


def a_status_is_shortened_until_it_fits_a_reply():
    for sensors, values, remedy in ((1, 2, 10), (3, 6, 80), (12, 6, 80), (40, 1, 80)):
        row = {"name": "a_driver_name", "ok": 0, "error": "e" * 40, "values": {}}
        for number in range(values):
            row["values"]["a_quantity_%d" % number] = "12345.678"
        error = {"stage": "broker", "text": "t" * 80, "remedy": "r" * remedy, "ms": 1_790_000_000_000}
        status = {"node": "stage-0001", "boot": 10007, "errors": [dict(error) for _ in range(5)]}
        status["sensors"] = [dict(row) for _ in range(sensors)]
        short = shortened(status, fits)
        write_reply(Writer(960), 1 << 53, DONE, short)
        assert short["node"] == "stage-0001"


flash.save()
for name, check in sorted(globals().copy().items()):
    if "_" in name and name[0] != "_" and callable(check) and name != "write_reply":
        check()
        print("ok", name)
