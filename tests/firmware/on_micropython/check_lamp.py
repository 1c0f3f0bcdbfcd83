"""What the lamp promises: lit when in doubt, on time by sun and clock, dimmed when told, also after a restart.

Argument: a file for it to keep what it was told.
"""

import asyncio
import os
import sys

from cityneuron import schedule, sun
from cityneuron.clock import Clock
from cityneuron.errors import NodeError, SettingsError
from cityneuron.lamp import Lamp, build
from cityneuron.lamp_setup import OUTPUTS, kept

SHANGHAI = (31_295_000, 121_525_000, 480)
TROMSO = (69_649_000, 18_956_000, 60)
MIDNIGHT_S = 1_781_884_800  # 2026-06-20 00:00 in Shanghai
HOUR_S = 3_600
FILE = sys.argv[1]


class Wall:
    """A clock that stands where the test puts it."""

    def __init__(self, time_s, is_set=True):
        self.ms = 0
        self.clock = Clock(lambda: self.ms, lambda a, b: a - b, 1_000 * time_s)
        if is_set:
            self.clock.set(1_000 * time_s)

    def wait(self, seconds):
        self.ms += 1_000 * seconds


class Output:
    def __init__(self):
        self.levels = []

    def set(self, level_pct):
        self.levels.append(level_pct)


def lamp_at(time_s, is_set=True, keep=False, place=SHANGHAI, output=None):
    if not keep:
        try:
            os.remove(FILE)
        except OSError:
            pass
    wall, output, said = Wall(time_s, is_set), output or Output(), []
    lamp = Lamp(output, wall.clock, place, FILE, said.append, kept(FILE, said.append))
    return lamp, wall, output, said


def settle(lamp):
    for _ in range(60):
        lamp.step()
    return lamp.level_pct


def refuses(action, args, words):
    try:
        action(args)
    except NodeError as error:
        assert words in error.message, error.message
        assert error.remedy
        return
    raise AssertionError("took " + repr(args))


def check_it_is_lit_at_once_when_the_board_starts():
    for hour in (3, 12):
        _, _, output, _ = lamp_at(MIDNIGHT_S + hour * HOUR_S)
        assert output.levels == [100]


def check_it_burns_by_night_and_is_off_by_day():
    for hour, level in ((0, 100), (3, 100), (6, 0), (12, 0), (18, 0), (20, 100), (23, 100)):
        lamp, _, _, _ = lamp_at(MIDNIGHT_S + hour * HOUR_S)
        assert settle(lamp) == level, hour


def check_it_is_lit_while_the_time_is_unknown():
    lamp, wall, _, _ = lamp_at(MIDNIGHT_S + 12 * HOUR_S, is_set=False)
    assert settle(lamp) == 100
    wall.clock.set(1_000 * (MIDNIGHT_S + 12 * HOUR_S))
    wall.wait(6)
    assert settle(lamp) == 0


def check_it_dims_in_steps():
    lamp, _, output, _ = lamp_at(MIDNIGHT_S + 12 * HOUR_S)
    settle(lamp)
    assert output.levels == list(range(100, -1, -2))


def check_a_fault_of_its_own_makes_it_burn_and_is_told_once():
    lamp, wall, _, said = lamp_at(MIDNIGHT_S + 12 * HOUR_S)
    assert settle(lamp) == 0
    lamp.table, lamp.to_s = [["noon", 0]], 0
    for _ in range(4):
        wall.wait(6)
        assert settle(lamp) == 100
    assert said == ["lamp: 'noon' is no time of a schedule; it is lit"]


def check_it_stays_lit_when_its_task_ends():
    lamp, _, output, _ = lamp_at(MIDNIGHT_S + 12 * HOUR_S)

    async def end():
        task = asyncio.create_task(lamp.run())
        await asyncio.sleep_ms(0)
        settle(lamp)
        assert output.levels[-1] == 0
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass

    asyncio.run(end())
    assert output.levels[-1] == 100


def check_a_table_goes_by_sun_and_clock():
    table = [["sunset-10", 100], ["23:00", 50], ["05:00", 80], ["sunrise+15", 0]]

    def level_at(time_s):
        level, until_s = schedule.level_at(table, SHANGHAI, time_s)
        assert time_s < until_s <= time_s + HOUR_S
        assert schedule.level_at(table, SHANGHAI, until_s - 1)[0] == level
        return level

    day = sun.day_of(MIDNIGHT_S + 12 * HOUR_S, SHANGHAI[1])
    sunrise, sunset = sun.events(day, *SHANGHAI[:2])
    assert [level_at(sunset + minutes * 60) for minutes in (-11, -10, 0)] == [0, 100, 100]
    # on 20 June the sun rises before five: the entry that comes last in time holds, not the last in the table
    assert sunrise < MIDNIGHT_S + 5 * HOUR_S
    for time_s, level in (
        (MIDNIGHT_S - HOUR_S - 1, 100),
        (MIDNIGHT_S - HOUR_S, 50),
        (MIDNIGHT_S + 4 * HOUR_S, 50),
        (MIDNIGHT_S + 5 * HOUR_S - 1, 50),
        (MIDNIGHT_S + 5 * HOUR_S, 80),
        (sunrise + 14 * 60, 80),
        (sunrise + 15 * 60, 0),
    ):
        assert level_at(time_s) == level, (time_s, level)


def check_entries_of_one_moment_go_by_their_order():
    noon_s = MIDNIGHT_S + 12 * HOUR_S
    assert schedule.level_at([["12:00", 10], ["12:00", 20]], SHANGHAI, noon_s)[0] == 20
    assert schedule.level_at([["0:30", 70]], SHANGHAI, MIDNIGHT_S) == (70, MIDNIGHT_S + 1_800)  # yesterday's


def check_polar_night_is_lit_and_polar_day_is_not():
    table = [["sunset", 100], ["23:00", 40], ["sunrise", 0]]
    midsummer, midwinter = 1_781_992_800, 1_797_807_600  # 20 June and 20 December 2026
    for hour in range(24):
        assert schedule.level_at(table, TROMSO, midsummer + hour * HOUR_S)[0] == 0, hour
        assert schedule.level_at(table, TROMSO, midwinter + hour * HOUR_S)[0] == 100, hour


def check_a_command_dims_for_a_time_and_then_the_schedule_holds_again():
    lamp, wall, _, _ = lamp_at(MIDNIGHT_S)
    assert lamp.lamp({"level_pct": 30, "minutes": 10}) == {"level_pct": 30}
    assert settle(lamp) == 30
    wall.wait(599)
    assert settle(lamp) == 30
    wall.wait(6)
    assert settle(lamp) == 100


def check_a_command_holds_until_told_also_after_a_restart():
    lamp, _, _, _ = lamp_at(MIDNIGHT_S)
    lamp.lamp({"level_pct": 40})
    again, wall, output, _ = lamp_at(MIDNIGHT_S + 60, is_set=False, keep=True)
    assert output.levels == [100] and settle(again) == 100  # nobody knows yet how long ago it was
    wall.clock.set(1_000 * (MIDNIGHT_S + 60))
    wall.wait(6)
    assert settle(again) == 40
    assert again.lamp({}) == {"level_pct": 100}
    later, _, _, _ = lamp_at(MIDNIGHT_S + 120, keep=True)
    assert settle(later) == 100


def check_a_command_that_ran_out_while_the_board_was_off_is_forgotten():
    lamp, _, _, _ = lamp_at(MIDNIGHT_S)
    lamp.lamp({"level_pct": 0, "minutes": 30})
    assert settle(lamp) == 0
    again, _, _, _ = lamp_at(MIDNIGHT_S + 3 * HOUR_S, keep=True)
    assert settle(again) == 100


def check_a_schedule_is_kept_on_flash():
    lamp, _, _, _ = lamp_at(MIDNIGHT_S)
    table = [["sunset", 100], ["00:00", 60], ["sunrise", 0]]
    assert lamp.actions["schedule"]({"table": table}) == {"table": table}
    again, _, _, said = lamp_at(MIDNIGHT_S + 60, keep=True)
    assert again.schedule({}) == {"table": table} and said == []
    assert settle(again) == 60


def check_a_torn_file_means_sunset_to_sunrise():
    for torn in ("", "{", "[]", '{"table": [], "told": 0, "until_ms": 0}', '{"table": [["noon", 0]]}', "null"):
        lamp_at(MIDNIGHT_S)
        with open(FILE, "w") as file:
            file.write(torn)
        lamp, _, _, said = lamp_at(MIDNIGHT_S, keep=True)
        assert settle(lamp) == 100 and len(said) == 1, torn


def check_a_full_flash_does_not_keep_it_from_dimming():
    lamp, _, _, said = lamp_at(MIDNIGHT_S)
    lamp.path = "/nowhere/lamp.json"
    lamp.lamp({"level_pct": 20})
    assert settle(lamp) == 20 and "could not be kept" in said[0]


def check_nonsense_is_refused_and_changes_nothing():
    lamp, _, _, _ = lamp_at(MIDNIGHT_S)
    before = lamp.schedule({})
    for level in (-1, 101, "50", True, 50.0):
        refuses(lamp.lamp, {"level_pct": level}, "level_pct is")
    for minutes in (-1, 10_081, "5", None):
        refuses(lamp.lamp, {"level_pct": 5, "minutes": minutes}, "minutes is")
    for table in (None, [], "sunset", {}, [["sunset", 1]] * 25):
        refuses(lamp.schedule, {"table": table}, "1 to 24 entries")
    for entry in (None, [], ["sunset"], ["sunset", 1, 2], "su"):
        refuses(lamp.schedule, {"table": [entry]}, "no entry")
    for level in (None, 101, "x", 1.5):
        refuses(lamp.schedule, {"table": [["sunset", level]]}, "no level")
    for when in (
        "",
        "noon",
        "24:00",
        "12:60",
        "12:5",
        "12",
        "-1:00",
        "sunset+",
        "sunset*3",
        "sunrise+720",
        5,
        None,
    ):
        refuses(lamp.schedule, {"table": [[when, 50]]}, "no time of a schedule")
    assert lamp.schedule({}) == before and settle(lamp) == 100


def check_the_outputs_fail_lit_in_their_usual_wiring():
    class Pwm:
        def duty_u16(self, duty):
            self.duty = duty

    class Pin:
        def value(self, level):
            self.level = level

    pwm, pin = Pwm(), Pin()
    dimmer, volts, relay = OUTPUTS["pwm"](pwm), OUTPUTS["0-10v"](pwm), OUTPUTS["relay"](pin)
    found = []
    for level in (0, 1, 10, 50, 100):
        dimmer.set(level)
        found.append(pwm.duty)
        volts.set(level)
        found.append(pwm.duty)
        relay.set(level)
        found.append(pin.level)
    assert found == [65535, 65535, 1, 64880, 58982, 0, 58982, 58982, 0, 32768, 32768, 0, 0, 0, 0], found
    straight = OUTPUTS["pwm"](pwm, inverted=False)
    straight.set(100)
    assert pwm.duty == 65_535
    OUTPUTS["relay"](pin, inverted=False).set(100)
    assert pin.level == 1


def check_it_is_built_from_settings_or_says_what_they_lack():
    class Board:
        duty = None

        def bus(self, name):
            assert name == "pwm1"
            return self

        def path(self, name):
            assert name == "data/lamp.json"
            return FILE

        def duty_u16(self, duty):
            self.duty = duty

    lamp_at(MIDNIGHT_S)
    board, wall = Board(), Wall(MIDNIGHT_S)
    place = {"lat_udeg": SHANGHAI[0], "lon_udeg": SHANGHAI[1], "utc_offset_min": SHANGHAI[2]}
    right = dict(place, output="pwm", bus="pwm1")
    assert settle(build(right, board, wall.clock, print)) == 100 and board.duty == 0
    for name in right:
        wrong = {key: value for key, value in right.items() if key != name}
        try:
            build(wrong, board, wall.clock, print)
        except SettingsError as error:
            assert error.remedy
        else:
            raise AssertionError("built without " + name)


def check_it_is_a_sensor_of_its_node():
    lamp, _, _, _ = lamp_at(MIDNIGHT_S + 12 * HOUR_S)
    assert lamp.columns == (("lamp_on", 0), ("dim_pct", 0))
    assert asyncio.run(lamp.read()) == (1, 100)
    settle(lamp)
    assert asyncio.run(lamp.read()) == (0, 0)


def check_a_night_of_steps_leaves_no_memory_behind():
    import gc

    lamp, wall, _, _ = lamp_at(MIDNIGHT_S)
    lamp.output.levels = None
    lamp.output.set = lambda level_pct: None
    used = []
    for _ in range(3):
        for _ in range(2_000):
            wall.wait(20)
            lamp.step()
        gc.collect()
        used.append(gc.mem_alloc())
    assert used[2] <= used[1] + 64, used


for name, check in sorted(globals().items()):
    if name.startswith("check_"):
        check()
        print("ok", name)
