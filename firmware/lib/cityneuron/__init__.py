"""City Neuron's node: what every board runs. No module here imports `machine`."""

FIRMWARE = "0.1.0"


class Chosen:
    """The settings that a node runs with, as attributes: what reads and checks them (settings.py) is let go."""

    def __init__(self, values):
        for name in values:
            setattr(self, name, values[name])
