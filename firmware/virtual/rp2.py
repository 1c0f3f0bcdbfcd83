"""`rp2` of a virtual board: what the Pico has besides `machine`."""


def bootsel_button():
    return 0


def country(code=None):
    return "CN"
