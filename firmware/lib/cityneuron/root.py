"""The square root in integers: an ESP32's single floats would bend what they touch."""


def root(number):
    """Return the integer part of the square root of a number >= 0 (Newton)."""
    if number < 2:
        return number
    guess = 1 << 16
    while guess * guess < number:
        guess <<= 1
    while True:
        better = (guess + number // guess) >> 1
        if better >= guess:
            return guess
        guess = better
