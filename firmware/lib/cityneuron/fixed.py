"""Sines and angles in integers: an ESP32's single floats would bend what they touch.

Angles are in millionths of a degree (udeg), sines in parts of ONE. Errors stay below 30 udeg and 1e-7.
"""

from array import array

from micropython import const

ONE = const(268_435_456)  # 2^28
TURN, HALF_TURN, QUARTER = const(360_000_000), const(180_000_000), const(90_000_000)
_BITS = const(28)
_ARCTANGENTS = array(  # of 2^-i, in tenths of a udeg, so that their roundings do not add up
    "i",
    (450_000_000, 265_650_512, 140_362_435, 71_250_163, 35_763_344, 17_899_106, 8_951_737, 4_476_142)
    + (2_238_105, 1_119_057, 559_529, 279_765, 139_882, 69_941, 34_971, 17_485, 8_743, 4_371, 2_186)
    + (1_093, 546, 273, 137, 68, 34, 17),
)


def sine(angle):
    """Return ONE * sin(angle in udeg)."""
    angle = (angle + HALF_TURN) % TURN - HALF_TURN
    if angle > QUARTER:
        angle = HALF_TURN - angle
    elif angle < -QUARTER:
        angle = -HALF_TURN - angle
    x = angle * 843_314_856_532 // 180_000_000_000  # radians
    square, term, total = x * x >> _BITS, x, x
    for divisor in (6, 20, 42, 72, 110, 156):
        term = -(term * square >> _BITS) // divisor
        total += term
    return total


def cosine(angle):
    """Return ONE * cos(angle in udeg)."""
    return sine(angle + QUARTER)


def arctangent(y, x):
    """Return the angle of the point (x, y) in udeg, -HALF_TURN to HALF_TURN; 0 for the origin (CORDIC)."""
    if x < 0:
        return arctangent(-y, -x) + (HALF_TURN if y >= 0 else -HALF_TURN)
    if not x and not y:
        return 0
    while x < ONE and -ONE < y < ONE:  # small numbers would lose their digits below
        x, y = x << 4, y << 4
    angle = 0
    for shift in range(len(_ARCTANGENTS)):
        if y > 0:
            x, y = x + (y >> shift), y - (x >> shift)
            angle += _ARCTANGENTS[shift]
        else:
            x, y = x - (y >> shift), y + (x >> shift)
            angle -= _ARCTANGENTS[shift]
    return (angle + 5) // 10
