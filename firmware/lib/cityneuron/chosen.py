"""The settings that a node runs with. What reads and checks them (settings.py) is let go after the start."""


class Chosen:
    """The settings as attributes: chosen.period_ms, chosen.sensors..."""

    def __init__(self, values):
        for name in values:
            setattr(self, name, values[name])
