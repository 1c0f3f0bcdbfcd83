"""What a time server's answer is taken for, and how often a node measures; prints the promises that hold."""

from struct import pack

from cityneuron import energy, ntp, sleep
from cityneuron.errors import ClockError

BUILT_MS = 1_763_683_200_000
NOW_S = 1_790_000_000
NONCE = b"\x01\x02\x03\x04\x05\x06\x07\x08"


def answer(
    seconds=NOW_S + 2_208_988_800, leap=0, mode=4, version=4, stratum=2, code=b"GPS\0", nonce=NONCE, fraction=0
):
    head = bytes((leap << 6 | version << 3 | mode, stratum, 6, 0xEC)) + bytes(8) + code
    stamp = pack(">II", seconds & 0xFFFFFFFF, fraction)
    return head + stamp + nonce + stamp + stamp


def reason(packet, **more):
    try:
        ntp.read(packet, NONCE, 0, more.get("earliest_ms", BUILT_MS))
    except ClockError as error:
        return error.message
    raise AssertionError("it was believed")


def half_of_the_way_is_added_and_fractions_are_milliseconds():
    assert ntp.read(answer(fraction=0x80000000), NONCE, 60, BUILT_MS) == NOW_S * 1000 + 530


def the_era_after_2036_is_known_by_the_time_of_the_build():
    after = 2_208_988_800 + 2_300_000_000
    assert after > 1 << 32
    assert ntp.read(answer(after), NONCE, 0, 2_200_000_000_000) == 2_300_000_000_000


def a_server_whose_clock_begins_in_2000_1970_or_2100_is_not_believed():
    for year_s in (946_684_800, 1, 4_102_444_800):
        assert "clock is wrong" in reason(answer(year_s + 2_208_988_800))


def a_server_that_is_not_set_itself_is_not_believed():
    assert "not set" in reason(answer(leap=3)) and "not set" in reason(answer(stratum=16))


def a_kiss_of_death_is_told_by_its_name():
    assert "RATE" in reason(answer(stratum=0, code=b"RATE"))
    assert ntp.kiss(answer(stratum=0, code=b"DENY")) == b"DENY" and ntp.kiss(answer()) is None


def an_answer_to_another_question_is_none_to_this_one():
    assert "another question" in reason(answer(nonce=bytes(8)))


def what_is_no_servers_answer_is_refused():
    for packet in (
        b"",
        b"\x24",
        answer()[:47],
        answer(mode=3),
        answer(mode=5),
        answer(version=0),
        answer(version=7),
    ):
        reason(packet)
    assert "no time" in reason(answer(0))


def an_empty_transmit_time_or_a_long_stay_does_not_move_the_clock():
    packet = bytearray(answer())
    packet[32:40] = bytes(8)  # "received" in 1900: it was held for a century
    assert ntp.read(packet, NONCE, 40, BUILT_MS) == NOW_S * 1000 + 20


def a_host_may_name_its_port():
    assert ntp.split("gateway.local") == ("gateway.local", 123) and ntp.split("10.0.0.1:1123") == (
        "10.0.0.1",
        1123,
    )


class Chosen:
    period_ms, fast_period_ms, slow_period_ms = 60_000, 10_000, 600_000
    watch, watch_rise_per_min, low_battery_mv = "level_m", 20, 3_500


COLUMNS = (("level_m", 3), ("battery_v", 2))


def rising_water_quickens_the_period_and_calm_water_ends_it_ten_minutes_later():
    pace = energy.Pace(Chosen, COLUMNS)
    for minute in range(5):
        pace.note([1000 + 19 * minute, 400], 60_000 * minute)
        assert pace.period_ms(60_000 * minute) == 60_000
    pace.note([1000 + 19 * 4 + 20, 400], 300_000)
    assert pace.period_ms(300_000) == pace.period_ms(899_999) == 10_000 and pace.period_ms(900_000) == 60_000


def waves_between_two_quick_readings_are_no_rise():
    pace = energy.Pace(Chosen, COLUMNS)
    for number in range(13):
        pace.note([1000 + 8 * (number % 2), 400], 10_000 * number)
    assert pace.period_ms(120_000) == 60_000


def a_low_battery_slows_down_unless_the_water_rises():
    pace = energy.Pace(Chosen, COLUMNS)
    pace.note([1000, 349], 0)
    assert pace.battery_mv == 3_490 and pace.period_ms(0) == 600_000
    pace.note([1040, 349], 60_000)
    assert pace.period_ms(60_000) == 10_000
    pace.note([None, None], 700_000)
    assert pace.battery_mv is None and pace.period_ms(700_000) == 60_000


def a_clock_that_was_set_back_is_no_rise():
    assert not energy.rises(1000, 60_000, 2000, 60_000, 20) and not energy.rises(1000, 60_000, 2000, 0, 20)
    assert not energy.rises(None, 0, 2000, 60_000, 20) and not energy.rises(1000, 0, None, 60_000, 20)


def of_several_wakes_one_speaks_and_every_one_while_the_water_rises():
    assert [sleep.reports(wake, 4, False) for wake in range(5)] == [True, False, False, False, True]
    assert sleep.reports(1, 4, True)


def the_beat_is_kept_over_sleeps():
    assert sleep.sleep_ms(60_000, 4_000) == 56_000 and sleep.sleep_ms(60_000, 61_000) == 59_000


for name, check in sorted(globals().copy().items()):
    if "_" in name and name[0] != "_" and callable(check):
        check()
        print("ok", name)
