"""What the outbox must know of its readings after a restart: up to where they are acknowledged, and by how much
the clock of a boot was wrong before it was set. One small text file; a line each.

    position BOOT UPTO        all before reading UPTO of BOOT is acknowledged, or gone
    date BOOT FIRST DELTA     readings of BOOT from FIRST on, of unknown clock, are DELTA ms later than they say
"""

import os

from micropython import const

_MOST_DATES = const(32)


class Marks:
    """Read at the start; written when told. Without a path it forgets with the power."""

    def __init__(self, path=None):
        self._path = path
        self.position = (0, 0)
        self._dates = []
        if path:
            self._load()

    def keep_position(self, boot, upto):
        """Note up to where all is acknowledged. Raises OSError."""
        if (boot, upto) != self.position:
            self.position = (boot, upto)
            self._save()

    def add_date(self, boot, first, delta_ms):
        """Note the correction of a boot. Raises OSError; it holds for this run all the same."""
        self._dates.append((boot, first, delta_ms))
        del self._dates[:-_MOST_DATES]
        self._save()

    def forget_before(self, boot):
        """Boots before this one have no reading here any more."""
        self._dates = [date for date in self._dates if date[0] >= boot]

    def delta_ms(self, boot, seq):
        """Return by how much a reading of unknown clock is to be shifted; 0 when nobody knows."""
        for known, first, delta_ms in self._dates:
            if known == boot and seq >= first:
                return delta_ms
        return 0

    def _save(self):
        if not self._path:
            return
        with open(self._path + ".new", "w") as file:
            file.write("position %d %d\n" % self.position)
            for date in self._dates:
                file.write("date %d %d %d\n" % date)
        os.rename(self._path + ".new", self._path)

    def _load(self):
        try:
            with open(self._path) as file:
                for line in file:
                    words = line.split()
                    if words[0] == "position":
                        self.position = (int(words[1]), int(words[2]))
                    elif words[0] == "date":
                        self._dates.append((int(words[1]), int(words[2]), int(words[3])))
        except (OSError, ValueError, IndexError):
            pass  # none yet, or torn: readings are sent once more than needed, and dated as they say
