"""Sunrise, sunset, and whether the sun is up, by place and time: lamps need no network to find the night.

Low-precision coordinates of the sun (Astronomical Almanac, C5: 0.01 degree from 1950 to 2050), in integers.
Places are in millionths of a degree, north and east positive; times in seconds since 1970, UTC.
"""

from micropython import const

from cityneuron.fixed import HALF_TURN, ONE, TURN, arctangent, cosine, sine
from cityneuron.root import root

_J2000_S = const(946_728_000)  # 2000-01-01 12:00
_DAY_S = const(86_400)
_HORIZON = const(-833_333)  # the upper limb, seen through the air: 16' of radius, 34' of refraction
_BITS = const(28)
_ROUNDS = const(3)  # the sun moves on while the day lasts: the second round is within seconds


def events(day, latitude, longitude):
    """Return (sunrise, sunset) of a solar day; None for one that does not come (polar day and night).

    Day 0 is the one whose noon falls on 1970-01-01 by the sun at this longitude.
    """
    noon_s = day * _DAY_S + _DAY_S // 2 - _seconds(longitude)
    return _event(noon_s, latitude, -1), _event(noon_s, latitude, 1)


def day_of(time_s, longitude):
    """Return the solar day of a moment: from one midnight by the sun to the next."""
    return (time_s + _seconds(longitude)) // _DAY_S


def is_up(time_s, latitude, longitude):
    """Return whether any part of the sun is above the horizon."""
    sine_declination, cosine_declination, equation = _position(time_s)
    hour_angle = (time_s % _DAY_S - _DAY_S // 2) * 12_500 // 3 + longitude + equation
    across = cosine(latitude) * cosine_declination >> _BITS
    height = (sine(latitude) * sine_declination >> _BITS) + (across * cosine(hour_angle) >> _BITS)
    return height > sine(_HORIZON)


def _event(noon_s, latitude, side):
    time_s = noon_s
    for _ in range(_ROUNDS):
        sine_declination, cosine_declination, equation = _position(time_s)
        across = cosine(latitude) * cosine_declination >> _BITS
        rise = sine(_HORIZON) - (sine(latitude) * sine_declination >> _BITS)
        if across <= 0 or not -across < rise < across:
            return None
        hour_angle = arctangent(root(across * across - rise * rise), rise)
        time_s = noon_s + _seconds(side * hour_angle - equation)
    return time_s


def _position(time_s):
    """Return the sun's (sine, cosine of declination, equation of time in udeg)."""
    since_s = time_s - _J2000_S
    anomaly = 357_529_000 + since_s * 98_560_028 // 8_640_000
    mean = 280_459_000 + since_s * 98_564_736 // 8_640_000
    longitude = mean + ((1_915_000 * sine(anomaly) + 20_000 * sine(2 * anomaly)) >> _BITS)
    obliquity = 23_439_000 - since_s * 36 // 8_640_000
    sine_declination = sine(obliquity) * sine(longitude) >> _BITS
    ascension = arctangent(cosine(obliquity) * sine(longitude) >> _BITS, cosine(longitude))
    equation = (mean - ascension + HALF_TURN) % TURN - HALF_TURN
    return sine_declination, root(ONE * ONE - sine_declination * sine_declination), equation


def _seconds(angle):
    """Return the seconds in which the earth turns by an angle."""
    return (angle * 3 + 6_250) // 12_500
