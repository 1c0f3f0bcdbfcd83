"""What can go wrong in a node: a message, and what the engineer does about it."""


class NodeError(Exception):
    """The base of the firmware's own errors."""

    def __init__(self, message, remedy=""):
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class Restart(Exception):
    """The board is to start anew, perhaps from the other slot."""


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
