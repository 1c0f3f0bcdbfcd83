"""Prints `sunrise sunset`, seconds since 1970 or `-`, of so many solar days. Arguments: day, days, place."""

import sys

from cityneuron import sun

day, days, latitude, longitude = (int(argument) for argument in sys.argv[1:])
for one in range(day, day + days):
    print(*("-" if event is None else event for event in sun.events(one, latitude, longitude)))
