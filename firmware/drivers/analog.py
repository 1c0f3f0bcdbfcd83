"""What drivers of analogue sensors share: microvolts from whatever ADC the board has, several at a time."""

_READINGS = 11


def microvolts(adc):
    """Return the voltage at an ADC's pin. ESP32s are calibrated by their maker, others share 3.3 V out."""
    if hasattr(adc, "read_uv"):
        return adc.read_uv()
    return adc.read_u16() * 3_300_000 // 65_535


def several(adc):
    """Return a handful of readings: the radio beside the converter makes single ones jump."""
    return [microvolts(adc) for _ in range(_READINGS)]


def steady(adc):
    """Return the middle one of three readings, and allocate nothing."""
    a, b, c = microvolts(adc), microvolts(adc), microvolts(adc)
    return max(min(a, b), min(max(a, b), c))


def middle(readings):
    """Return the median."""
    return sorted(readings)[len(readings) // 2]
