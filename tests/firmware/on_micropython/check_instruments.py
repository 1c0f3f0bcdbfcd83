"""What stands around drivers promises: warm-up, rest, thermometers, names; rain and noise between readings."""

import asyncio

from cityneuron import fixed
from cityneuron.errors import SensorError, SettingsError
from cityneuron.root import root
from cityneuron.sampler import Sampler
from drivers import decibels, jsn_sr04t, noise, rain
from drivers.fitting import Fit
from drivers.instrument import Instrument, instruments


class Time:
    ms = 1000

    def ticks_ms(self):
        return self.ms & 0x3FFFFFFF

    def ticks_diff(self, a, b):
        return ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000


class Plain:
    """A driver as instrument.py sees one."""

    COLUMNS = (("pm2_5_ug_m3", 1), ("temperature_c", 1))

    def __init__(self):
        self.said = []
        self.failing = False

    async def read(self, _bus):
        if self.failing:
            raise OSError(19)
        self.said.append("read")
        return (123, 205)


class Laser(Plain):
    WARM_UP_MS = 30_000

    async def wake(self, _bus):
        self.said.append("wake")

    async def rest(self, _bus):
        self.said.append("rest")


class Pin:
    IRQ_FALLING = 2

    def __init__(self):
        self.levels = []

    def value(self, level):
        self.levels.append(level)

    def irq(self, handler, trigger):
        self.handler = handler


def run(coroutine):
    return asyncio.run(coroutine)


def made(driver, clock, entry=None, others=(), power=None):
    entry = entry or {}
    return Instrument(Fit(driver, "laser", entry, others), None, clock_of(clock), power)


def says(action, words):
    try:
        action()
    except (SensorError, SettingsError) as error:
        assert words in error.message, error.message
        assert error.remedy
        return
    raise AssertionError("nothing was wrong with " + words)


def check_a_sensor_left_alone_is_woken_once_and_stays_awake():
    clock, driver = Time(), Laser()
    laser = made(driver, clock)
    assert run(laser.read()) == (None, None)
    clock.ms += 29_999
    assert run(laser.read()) == (None, None)
    clock.ms += 1
    assert run(laser.read()) == (123, 205)
    clock.ms += 2_000_000_000  # the ticks wrap more than once
    assert run(laser.read()) == (123, 205)
    assert driver.said == ["wake", "read", "read"]


def check_a_sensor_woken_ahead_rests_after_its_reading():
    clock, driver = Time(), Laser()
    laser = made(driver, clock)
    for _ in range(2):
        run(laser.wake())
        run(laser.wake())
        clock.ms += 30_000
        assert run(laser.read()) == (123, 205)
        clock.ms += 270_000
    assert driver.said == ["wake", "read", "rest"] * 2
    assert run(laser.read()) == (None, None)  # nobody woke it: it says nothing rather than something cold


def check_a_supply_pin_is_switched_for_the_reading_only():
    clock, pin = Time(), Pin()
    probe = made(Plain(), clock, {"warm_up_ms": 2_000}, power=pin)
    assert probe.warm_up_ms == 2_000
    run(probe.wake())
    assert pin.levels == [1]
    assert run(probe.read()) == (None, None)
    clock.ms += 2_000
    run(probe.wake())
    assert run(probe.read()) == (123, 205)
    assert pin.levels == [1, 0]


def check_a_sensor_that_fails_three_times_is_woken_again():
    clock, driver = Time(), Laser()
    laser = made(driver, clock)
    run(laser.read())
    clock.ms += 30_000
    driver.failing = True
    for _ in range(3):
        says(lambda: run(laser.read()), "no answer")
    driver.failing = False
    assert run(laser.read()) == (None, None)
    clock.ms += 30_000
    assert run(laser.read()) == (123, 205)
    assert driver.said == ["wake", "wake", "read"]


def check_a_distance_follows_the_temperature_of_a_thermometer_before_it():
    assert jsn_sr04t.compensated((2_000,), 1_455) == (2_000,)
    assert jsn_sr04t.compensated((2_000,), 3_500) == (2_070,)
    assert jsn_sr04t.compensated((2_000,), -1_000) == (1_913,)
    assert jsn_sr04t.compensated((None,), 2_000) == (None,)


def check_an_instrument_uses_its_thermometer_once_it_has_spoken():
    clock, air = Time(), Laser()
    thermometer = made(air, clock)
    fit = Fit(Sonar, "sonar", {"datum_mm": 5_000, "temperature_from": "laser"}, [thermometer])
    sonar = Instrument(fit, None, clock_of(clock))
    assert sonar.columns == (("level_m", 3),)
    assert run(sonar.read()) == (3_000,)
    run(thermometer.read())
    clock.ms += 30_000
    run(thermometer.read())
    assert run(sonar.read()) == (5_000 - jsn_sr04t.compensated((2_000,), 2_050)[0],)


def check_two_sensors_of_a_kind_have_names_of_their_own():
    up = {
        "driver": "jsn_sr04t",
        "bus": "uart1",
        "datum_mm": 5_000,
        "name": "up",
        "as": {"level_m": "level_up_m"},
    }
    down = {"driver": "jsn_sr04t", "bus": "uart2", "datum_mm": 4_000, "name": "down"}
    down["as"] = {"level_m": "level_down_m"}
    sampler = Sampler(instruments(Board(), [up, down]))
    assert sampler.columns == (("level_up_m", 3), ("level_down_m", 3))
    sonar = Instrument(Fit(Sonar, "sonar", up, []), None, clock_of(Time()))
    assert sonar.name == "up" and run(sonar.read()) == (3_000,)


class Sonar:
    COLUMNS = jsn_sr04t.COLUMNS
    compensated = staticmethod(jsn_sr04t.compensated)

    async def read(bus):
        return (2_000,)


def clock_of(time):
    return (time.ticks_ms, time.ticks_diff)


class Board:
    ticks_ms, ticks_diff = Time().ticks_ms, Time().ticks_diff

    def bus(self, name):
        return Pin()


def check_settings_that_make_no_sense_are_refused_with_a_remedy():
    def entries(*entry):
        return lambda: instruments(Board(), list(entry))

    says(entries({"bus": "i2c"}), "lacks driver or bus")
    says(entries("bme280"), "lacks driver or bus")
    says(entries({"driver": "bme281", "bus": "i2c"}), "no driver 'bme281'")
    says(entries({"driver": "frames", "bus": "i2c"}), "no driver 'frames'")
    says(entries({"driver": "bme280", "bus": "i2c", "adress": 1}), "bme280 knows no 'adress'")
    says(entries({"driver": "level_4_20ma", "bus": "adc1"}), "level_4_20ma needs span_mm")
    says(entries({"driver": "level_4_20ma", "bus": "adc1", "span_mm": 5.0}), "span_mm of level_4_20ma is 5.0")
    says(entries({"driver": "mpu6050", "bus": "i2c", "axis": 1}), "axis of mpu6050 is 1")
    says(entries({"driver": "jsn_sr04t", "bus": "uart1"}), "jsn_sr04t needs datum_mm")
    says(entries({"driver": "bme280", "bus": "i2c", "as": {"level_m": "x"}}), "gives no 'level_m'")
    says(entries({"driver": "bme280", "bus": "i2c", "as": "level_m"}), "`as` of bme280 is")
    says(entries({"driver": "contact", "bus": "pin1", "as": {"door_open": None}}), "no column left")
    says(entries({"driver": "bme280", "bus": "i2c", "temperature_from": "ds18b20"}), "needs no temperature")
    sonar = {"driver": "jsn_sr04t", "bus": "uart1", "datum_mm": 1, "temperature_from": "ds18b20"}
    says(entries(sonar, {"driver": "ds18b20", "bus": "onewire"}), "no 'ds18b20' stands before")
    assert len(instruments(Board(), [{"driver": "ds18b20", "bus": "onewire"}, sonar])) == 2


def check_a_node_that_sleeps_refuses_what_it_would_not_hear():
    def entries(*drivers, awake_s=45):
        fit = [{"driver": name, "bus": "pin1"} for name in drivers]
        return lambda: instruments(Board(), fit, awake_s)

    says(entries("ds18b20", "rain"), "rain is listened to all the time, and this node sleeps")
    says(entries("noise"), "noise is listened to all the time, and this node sleeps")
    says(entries("mhz19"), "mhz19 warms up for 180 s, this node is awake for 45")
    assert len(entries("mhz19", awake_s=240)()) == len(entries("rain", awake_s=None)()) == 1
    assert len(entries("pms5003", "ds18b20", "contact", "battery")()) == 4


def check_a_sampler_wakes_what_must_be_woken_and_goes_on_when_that_fails():
    clock, driver = Time(), Laser()

    class Deaf(Laser):
        async def wake(self, _bus):
            raise OSError(19)

    deaf = made(Deaf(), clock, {"as": {"pm2_5_ug_m3": "pm10_ug_m3", "temperature_c": "water_temperature_c"}})
    sampler = Sampler([deaf, made(driver, clock)])
    assert sampler.warm_up_ms == 30_000
    run(sampler.wake())
    clock.ms += 30_000
    assert run(sampler.sample()) == [None, None, 123, 205]
    assert sampler.failures == 1 and Sampler([]).warm_up_ms == 0


def check_a_driver_that_falls_over_its_options_takes_no_other_sensor_along():
    class Divided(Laser):
        WARM_UP_MS = 0

        async def read(self, _bus):
            return (1 // 0, 0)

    names = {"as": {"pm2_5_ug_m3": "pm10_ug_m3", "temperature_c": "water_temperature_c"}}
    sampler = Sampler([made(Divided(), Time(), names), made(Plain(), Time())])
    assert run(sampler.sample()) == [None, None, 123, 205]
    ((_, error, remedy),) = sampler.faults()
    assert "ZeroDivisionError" in error and "settings.json" in remedy, (error, remedy)


def check_rain_is_counted_once_a_tip_whatever_the_contact_does():
    clock, pin = Time(), Pin()
    bucket = rain.Bucket(pin, clock.ticks_ms, clock.ticks_diff)
    for _ in range(3):
        for bounce_ms in (0, 1, 3, 20):
            clock.ms += bounce_ms
            pin.handler(pin)
        clock.ms += 5_000
    assert bucket.tips == 3
    assert run(rain.read(bucket, rain.OPTIONS)) == (600, (600 * 36_000 + 7_536) // 15_072)
    clock.ms += 60_000
    assert run(rain.read(bucket, rain.OPTIONS)) == (0, 0)
    assert bucket.tips == 3


def check_a_tip_within_a_reading_belongs_to_the_next_one():
    clock, pin = Time(), Pin()
    bucket = rain.Bucket(pin, clock.ticks_ms, clock.ticks_diff)
    total = 0
    for _ in range(50):
        clock.ms += 400
        pin.handler(pin)
        clock.ms += 200
        total += bucket.take()[0]
        pin.handler(pin)  # the same tip still bounces... 200 ms later it is another
    assert total + bucket.take()[0] == bucket.tips == 100


def check_the_interrupt_of_the_bucket_allocates_nothing():
    import gc

    from micropython import heap_lock, heap_unlock

    pin = Pin()
    bucket = rain.Bucket(pin, lambda: 5_000, lambda a, b: 1_000)
    handler = pin.handler
    gc.collect()
    heap_lock()
    try:
        handler(pin)
        handler(pin)
    finally:
        heap_unlock()
    assert bucket.tips == 2


async def heard(adc, levels, sleeps):
    """Return what an ear makes of so many levels at an ADC."""

    async def sleep_ms(ms):
        sleeps.append(ms)
        await real_sleep_ms(0)

    real_sleep_ms, asyncio.sleep_ms = asyncio.sleep_ms, sleep_ms
    try:
        ear = noise.attach(adc)
        assert await noise.read(ear) == (None, None)
        for _ in range(levels):
            await real_sleep_ms(0)
        return await noise.read(ear)
    finally:
        asyncio.sleep_ms = real_sleep_ms


class Adc:
    """A converter that repeats a row of volts."""

    def __init__(self, *volts):
        self._volts, self._looks = volts, 0

    def read_u16(self):
        self._looks += 1
        return int(self._volts[self._looks % len(self._volts)] * 65_535 / 3.3)


def check_an_ear_hears_all_the_time_and_gives_energies():
    sleeps = []
    found = run(heard(Adc(1.2, 1.2, 1.2, 1.0, 1.0, 1.0), 40, sleeps))
    assert found == (574, 600), found
    assert set(sleeps) == {125}


def check_single_readings_that_jump_are_no_sound():
    assert run(heard(Adc(2.4, 1.0, 1.0, 1.0), 40, [])) == (500, 500)


def check_sines_roots_and_decibels_are_those_of_mathematics():
    import math

    for angle in range(-400_000_000, 400_000_000, 7_654_321):
        radians = angle * math.pi / 180e6
        assert abs(fixed.sine(angle) / fixed.ONE - math.sin(radians)) < 1e-7
        y, x = int(1e6 * math.sin(radians)), int(1e6 * math.cos(radians))
        turned = (fixed.arctangent(y, x) - angle + fixed.HALF_TURN) % fixed.TURN - fixed.HALF_TURN
        assert abs(turned) < 90, (angle, turned)
    for number in (0, 1, 2, 3, 4, 8, 9, 15, 16, 2**31 - 1, 2**31, 10**18 - 1, 10**18):
        assert root(number) ** 2 <= number < (root(number) + 1) ** 2
    assert [decibels.level(decibels.energy(tenths)) for tenths in range(1_400)] == list(range(1_400))
    for tenths in range(300, 1_300, 7):
        two = decibels.level(2 * decibels.energy(tenths))
        assert two == tenths + 30, (tenths, two)


for name, check in sorted(globals().items()):
    if name.startswith("check_"):
        check()
        print("ok", name)
