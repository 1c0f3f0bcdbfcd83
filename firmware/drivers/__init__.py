"""One file a sensor: COLUMNS, a pure decode(raw), and `async read(bus)`. Values are scaled integers."""
