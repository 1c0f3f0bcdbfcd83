"""Long answers made short enough for a reply. Borrowed when status or settings are asked for from afar."""

_SHORTER = (
    lambda status: [error.pop("ms", None) for error in status.get("errors", ())],
    lambda status: status.update(errors=status.get("errors", ())[:1]),
    lambda status: [sensor.pop("values", None) for sensor in status.get("sensors", ())],
    lambda status: [error.pop("remedy", None) for error in status.get("errors", ())],
    lambda status: status.update(sensors=[row for row in status.get("sensors", ()) if not row.get("ok")][:4]),
    lambda status: status.update(errors=[], sensors=[]),
)


def shortened(status, fits):
    """Return a status that `fits(status)`: what a reader misses least is left out first."""
    status = dict(status)
    for name in ("errors", "sensors"):
        status[name] = [dict(row) for row in status.get(name, ())]
    for shorter in _SHORTER:
        if fits(status):
            break
        shorter(status)
    return status


def shortened_settings(shown, fits):
    """Return settings that fit: of the sensors the drivers only, if need be."""
    if not fits(shown):
        shown["sensors"] = [row.get("driver") for row in shown.get("sensors", ())]
    return shown
