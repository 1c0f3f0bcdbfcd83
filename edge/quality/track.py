"""One quantity of one node through time: what a value says beside those before it.

The tests take a value, its time and what is kept of the past, and return marks. A value that is none (missing,
sentinel, not finite, outside the sensor's range) is nobody's neighbour: the tests in time go on from the last
one that was a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from edge.model.quantities import Form
from edge.quality.limits import Limits
from edge.quality.marks import MISSING, fail, suspect, unsure

_SYNTAX, _SENTINEL, _RANGE = fail("syntax"), fail("sentinel"), fail("gross_range")
_DOUBTED_RANGE, _SATURATION = suspect("gross_range"), suspect("saturation")
_RATE, _RATE_FAIL, _EXCURSION = suspect("rate_of_change"), fail("rate_of_change"), suspect("excursion")
_SPIKE, _SPIKE_FAIL = suspect("spike"), fail("spike")
_FLAT, _FLAT_FAIL = suspect("flat_line"), fail("flat_line")
_RESET, _GAP = suspect("counter_reset"), unsure("gap")
NO_VALUE = MISSING | _SYNTAX | _SENTINEL | _RANGE
AT_LEAST_S = 1.0  # within less, a step of one resolution would be too fast


@dataclass(slots=True)
class Track:
    """What is kept of a quantity's past.

    last, at_ms: the newest value and when it was sensed; marks: what was found about it. prior: the value
    before. base, since_ms: the value that a flat line would be at, and since when. trusted, trusted_ms: the
    newest value that was not reached too fast.
    """

    last: float
    at_ms: int
    prior: float | None
    base: float
    since_ms: int
    trusted: float
    trusted_ms: int
    marks: int = 0


def alone(value: float | None, limits: Limits) -> int:
    """Return the marks of the tests that need no other value: for late data, that is all."""
    if value is None:
        return MISSING
    if not isfinite(value):
        return _SYNTAX
    found = _SENTINEL if value in limits.sentinels else 0
    if not limits.fail_low <= value <= limits.fail_high:
        return found | _RANGE
    if not limits.suspect_low <= value <= limits.suspect_high:
        found |= _DOUBTED_RANGE
    if limits.saturated_high is not None and value >= limits.saturated_high:
        found |= _SATURATION
    if limits.saturated_low is not None and value <= limits.saturated_low:
        found |= _SATURATION
    return found


def judge(track: Track | None, limits: Limits, t_ms: int, value: float, marks: int) -> tuple[Track, int, int]:
    """Take a value in time; return the track with it, its marks, and new marks of the value before it.

    `value` is a value (see NO_VALUE), later than the track's last; `marks` are those that `alone` found.
    """
    if track is None:
        return Track(value, t_ms, None, value, t_ms, value, t_ms, marks), marks, 0
    revised = _spike(track, limits, value)
    marks |= _changed(track, limits, t_ms, value)
    if value != track.base and abs(value - track.base) >= limits.flat_tolerance:
        track.base, track.since_ms = value, t_ms
    elif limits.flat_after_s is not None or limits.flat_fail_after_s is not None:
        flat_ms = t_ms - track.since_ms
        if limits.flat_after_s is not None and flat_ms >= limits.flat_after_s * 1000:
            marks |= _FLAT
        if limits.flat_fail_after_s is not None and flat_ms >= limits.flat_fail_after_s * 1000:
            marks |= _FLAT_FAIL
    track.prior, track.last, track.at_ms, track.marks = track.last, value, t_ms, marks
    return track, marks, revised


def _changed(track: Track, limits: Limits, t_ms: int, value: float) -> int:
    """Judge how fast the value came here; keep the newest that was not too fast."""
    found = 0
    step, seconds = value - track.last, max(AT_LEAST_S, (t_ms - track.at_ms) / 1000)
    if limits.form is Form.COUNTER and step < 0:
        if limits.roll_over is None or limits.rate_per_s is None:
            step, found = 0.0, _RESET
        else:
            step += limits.roll_over
            if not 0 <= step <= limits.rate_per_s * seconds:
                step, found = 0.0, _RESET
    if limits.rate_fail_per_s is not None and abs(step) > limits.rate_fail_per_s * seconds:
        found |= _RATE_FAIL
    if limits.rate_per_s is None:
        return found
    if abs(step) > limits.rate_per_s * seconds:
        found |= _RATE
    if not limits.excursion or limits.form is Form.COUNTER:
        return found
    away, trusted_s = abs(value - track.trusted), max(AT_LEAST_S, (t_ms - track.trusted_ms) / 1000)
    if away <= limits.rate_per_s * trusted_s:
        track.trusted, track.trusted_ms = value, t_ms
    elif not found:
        found = _EXCURSION
    return found


def _spike(track: Track, limits: Limits, value: float) -> int:
    """Judge the last value, now that its successor is known; 0 unless that adds to its marks."""
    if track.prior is None or (limits.spike is None and limits.spike_fail is None):
        return 0
    before, after = track.last - track.prior, track.last - value
    if limits.spike_method == "average":
        height = abs(track.last - (track.prior + value) / 2)
    else:
        height = min(abs(before), abs(after)) if before * after > 0 else 0.0
    found = 0
    if limits.spike is not None and height > limits.spike:
        found = _SPIKE
    if limits.spike_fail is not None and height > limits.spike_fail:
        found |= _SPIKE_FAIL
    return track.marks | found if found else 0
