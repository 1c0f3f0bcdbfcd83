"""What a lamp hangs at: a PWM input, a 0-10 V line, a relay; `inverted` is the wiring that fails lit."""

from micropython import const

FULL = const(100)


class Pwm:
    """Dims by the share of time that the output is on. `inverted`: duty 0 is full light, as after a reset."""

    def __init__(self, pwm, inverted=True):
        self._pwm = pwm
        self._inverted = inverted

    def set(self, level_pct):
        duty = 65_535 * level_pct // FULL
        self._pwm.duty_u16(65_535 - duty if self._inverted else duty)


class ZeroToTen(Pwm):
    """0-10 V (IEC 60929 annex E) by PWM and a filter: 1 V is the least light, below it the lamp is off.

    `inverted`: a transistor pulls the line down; a line that nobody pulls stands at 10 V: full light.
    """

    def set(self, level_pct):
        super().set(max(level_pct, 10) if level_pct else 0)


class Relay:
    """On or off. `inverted`: the lamp hangs at the normally closed contact, so a dead coil leaves it lit."""

    def __init__(self, pin, inverted=True):
        self._pin = pin
        self._inverted = inverted

    def set(self, level_pct):
        self._pin.value((level_pct > 0) != self._inverted)
