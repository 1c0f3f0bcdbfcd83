"""Levels and energies in integers: levels add up and average as energies, not as numbers."""

from array import array

from micropython import const

_DECADE = const(100)  # tenths of a decibel in a factor of ten


def _energies():
    table, energy = array("I", bytes(4 * _DECADE)), 10**15
    for index in range(_DECADE):
        table[index] = energy // 10**10
        energy = energy * 1_023_292_992_280_754 // 10**15  # 0.1 dB
    return table


_ENERGIES = _energies()  # 100,000 to 977,237: one decade in steps of 0.1 dB


def energy(tenths_db):
    """Return the energy of a level >= 0, in parts of 1/100,000 of that of 0 dB: levels add and average so."""
    return _ENERGIES[tenths_db % _DECADE] * 10 ** (tenths_db // _DECADE)


def level(parts):
    """Return the level, in 0.1 dB, whose energy comes nearest (0 for less than the energy of 0 dB)."""
    decades = index = 0
    while parts >= 10 * _ENERGIES[0]:
        parts, decades = (parts + 5) // 10, decades + 1
    while index < _DECADE and _ENERGIES[index] < parts:
        index += 1
    above = 10 * _ENERGIES[0] if index == _DECADE else _ENERGIES[index]
    if index and above - parts > parts - _ENERGIES[index - 1]:
        index -= 1
    return decades * _DECADE + index
