"""A sound level meter with an analogue output, A-weighted by itself, 50 dB a volt (SEN0232): LAeq and LAmax.

It is listened to all the time, eight times a second (its time weighting is "fast", 125 ms). Levels average as
energies: LAeq of a period is that of the mean energy.
"""

import asyncio

from cityneuron.errors import SensorError
from drivers.analog import steady
from drivers.decibels import energy, level

COLUMNS = (("noise_laeq_db", 1), ("noise_lamax_db", 1))
_EVERY_MS = 125
_UV_A_TENTH = 2_000  # of a decibel
_LEAST, _MOST = 300, 1_300  # 30 to 130 dB, 0.6 to 2.6 V
_SLACK = 50  # a silent room at the edge of the scale is no fault


def decode(raw):
    """Return (LAeq, LAmax) in 0.1 dB of a row of microvolts. Raises SensorError."""
    sums = Sums()
    for pin_uv in raw:
        sums.add(pin_uv)
    return sums.take()


class Sums:
    """Energies of a period, added up; a voltage that no level has is counted apart."""

    def __init__(self):
        self._clear()

    def _clear(self):
        self._count = 0
        self._energy = 0
        self._loudest = 0
        self._wrong = 0
        self._wrong_uv = 0

    def add(self, pin_uv):
        """Take one reading of the ADC."""
        tenths = (pin_uv + _UV_A_TENTH // 2) // _UV_A_TENTH
        if not _LEAST - _SLACK <= tenths <= _MOST + _SLACK:
            self._wrong, self._wrong_uv = self._wrong + 1, pin_uv
            return
        self._count += 1
        self._energy += energy(tenths)
        self._loudest = max(self._loudest, tenths)

    def take(self):
        """Return (LAeq, LAmax) and begin anew. Raises SensorError when little of the period could be heard."""
        try:
            return self._result()
        finally:
            self._clear()

    def _result(self):
        if self._wrong > self._count:
            wrong_mv = self._wrong_uv // 1_000
            raise SensorError("%d mV is no sound level" % wrong_mv, "check the meter's supply and wire")
        if not self._count:
            return (None, None)
        return (level((self._energy + self._count // 2) // self._count), self._loudest)


class Ear:
    """Listens to an ADC from the first reading on."""

    def __init__(self, adc):
        self._adc = adc
        self._sums = Sums()
        self._listening = None

    def take(self):
        """Return what was heard since the last take; (None, None) the first time."""
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen())
        return self._sums.take()

    async def _listen(self):
        while True:
            self._sums.add(steady(self._adc))
            await asyncio.sleep_ms(_EVERY_MS)


def attach(bus):
    """Return the ear at an ADC."""
    return Ear(bus)


async def read(bus):
    """Return LAeq and LAmax since the reading before."""
    return bus.take()
