"""Nodes without boards: the firmware on a real MicroPython; the host plays flash, console and sensors."""
