"""City Neuron's node: what every board runs. No module here imports `machine`."""

FIRMWARE = "0.1.0"
