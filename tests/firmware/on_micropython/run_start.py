"""Runs the start of a slot on the simulated board, without the pause after a failure."""

from cityneuron import start

print("again", start.run(pause_s=0))
