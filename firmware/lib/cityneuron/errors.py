"""What can go wrong in a node: a message, and what the engineer does about it; and the last of what did."""


class NodeError(Exception):
    """The base of the firmware's own errors."""

    def __init__(self, message, remedy=""):
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class SettingsError(NodeError):
    """The settings on flash are missing or cannot be used."""


class PackError(NodeError):
    """Bytes that are no message of ours, or a value that fits none."""


class LinkDown(NodeError):
    """The broker is out of reach, hung up or broke the protocol."""


class ClockError(NodeError):
    """No time server gave a time that can be believed."""


class SensorError(NodeError):
    """A sensor did not answer, or answered nonsense."""


class Troubles:
    """The last errors by stage, in RAM. One that happens again moves up: a day's outage is one line."""

    def __init__(self, most=8):
        self._most = most
        self._rows = []

    def note(self, stage, text, remedy=""):
        """Take an error of a stage: network, clock, broker, birth, sample, flash, command."""
        row = {"stage": stage, "text": text, "remedy": remedy}
        if row in self._rows:
            self._rows.remove(row)
        self._rows.append(row)
        del self._rows[: -self._most]

    def last(self, most=5):
        """Return the last ones, the newest first, as {"stage", "text", "remedy"}."""
        return self._rows[: -most - 1 : -1]
