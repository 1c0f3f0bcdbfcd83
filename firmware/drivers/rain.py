"""A tipping-bucket rain gauge: a reed contact to ground at a pin, `tip_um` of rain a tip (200: 0.2 mm).

Tips are counted by interrupt, debounced; a reading takes what came since the reading before. A contact that
closes in a deep sleep would not be counted: settings with this driver and `sleep` are refused.
"""

from array import array
from time import ticks_diff, ticks_ms

from cityneuron.errors import SensorError

COLUMNS = (("rain_mm", 3), ("rain_rate_mm_h", 1))
OPTIONS = {"tip_um": 200}
_DEBOUNCE_MS = 100  # a reed bounces for some ms; the fastest bucket tips twice a second
_MOST_MM_H = 500  # above, it is a lawn sprinkler, a technician or a loose contact


class Bucket:
    """Counts the falling edges of a pin. Its interrupt allocates nothing and needs no lock."""

    def __init__(self, pin, ticks_ms, ticks_diff):
        self._ticks_ms, self._ticks_diff = ticks_ms, ticks_diff
        self._cells = array("I", (0, 0))  # tips, the time of the last edge
        self._taken = 0
        self._taken_ms = ticks_ms()
        self._on_edge_bound = self._on_edge  # made here: binding a method allocates
        pin.irq(handler=self._on_edge_bound, trigger=pin.IRQ_FALLING)

    @property
    def tips(self):
        """All tips since the start, modulo 2^32: for whoever keeps a total."""
        return self._cells[0]

    def take(self):
        """Return (tips, milliseconds) since the last take."""
        tips, now_ms = self._cells[0], self._ticks_ms()
        taken = (tips - self._taken) & 0xFFFFFFFF, self._ticks_diff(now_ms, self._taken_ms)
        self._taken, self._taken_ms = tips, now_ms
        return taken

    def _on_edge(self, _pin):
        now_ms, cells = self._ticks_ms(), self._cells
        if not cells[0] or self._ticks_diff(now_ms, cells[1]) >= _DEBOUNCE_MS:
            cells[0] += 1
        cells[1] = now_ms


def decode(raw, options):
    """Return (rain in um, intensity in 0.1 mm/h) of (tips, milliseconds). Raises SensorError."""
    tips, elapsed_ms = raw
    if elapsed_ms <= 0:
        raise SensorError("no time has passed since the last reading", "read it less often")
    rain_um = tips * options["tip_um"]
    rate = (rain_um * 36_000 + elapsed_ms // 2) // elapsed_ms
    if tips > 2 and rate > 10 * _MOST_MM_H:
        raise SensorError("%d tips in %d ms" % (tips, elapsed_ms), "check the reed contact and its cable")
    return (rain_um, rate)


def attach(bus):
    """Begin to count. `bus` is a Pin with pull-up."""
    return Bucket(bus, ticks_ms, ticks_diff)


async def read(bus, options):
    """Return the rain since the reading before."""
    return decode(bus.take(), options)
