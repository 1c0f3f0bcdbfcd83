"""All checks of one node, reading by reading: its state is small, and can be written down and taken up again.

A node is calm while nothing is under way that a next value alone could not decide: each quantity had a value
at the newest time, none of it doubted, none far from the one before. The state is then `t_ms`, `last`, `prior`
and `since_ms`, which a caller's own quick path may read and move on; else each quantity has a Track.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, nan
from zlib import crc32

from edge.model.quality import Flag
from edge.quality.calibration import valid_at
from edge.quality.cross import cross_marks, pairs
from edge.quality.limits import NO_OVERRIDES, Limits, Overrides
from edge.quality.marks import halves, joined, meaning, suspect, unsure
from edge.quality.track import NO_VALUE, Track, alone, judge

_WARM_UP, _GAP = suspect("warm_up"), unsure("gap")
_HEAD = struct.Struct("<BIqqqB")
_ROUGH = struct.Struct("<ddddIIIIII")
_VERSION = 1
_LONGEST_MS = 2**32 - 1
_NEVER = -(2**62)
NO_TIMES, NO_VALUES = array("q"), array("d")
GAP_PERIODS, GAP_AT_LEAST_MS = 3, 10_000
STEP_MARGIN = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Revision:
    """What a later value says of an earlier one: its flag and all tests that it did not pass, as of now."""

    t_ms: int
    index: int
    flag: Flag
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks say of a reading: a flag and the tests not passed a value, and the calibrated values."""

    flags: list[Flag]
    failed: list[tuple[str, ...]]
    values: list[float | None]
    revised: list[Revision] | None = None


class Profile:
    """What is the same for all nodes with these quantities, limits and period.

    nearest_ms: how far apart two readings must be for `steps` to hold: half a period. gap_ms: how far apart
    they may be before it is a gap. steps: how far each value may move from one reading to the next such that no
    test in time looks up. pairs: the checks between quantities. names, calm_state: how states are written.
    """

    __slots__ = (
        "calm_state",
        "gap_ms",
        "limits",
        "names",
        "nearest_ms",
        "off_after_ms",
        "pairs",
        "period_s",
        "quantities",
        "steps",
    )

    def __init__(
        self, quantities: Sequence[str], limits: Sequence[Limits], period_s: float | None = None
    ) -> None:
        self.quantities = tuple(quantities)
        self.limits = tuple(limits)
        self.period_s = period_s
        self.pairs = pairs(self.quantities, self.limits)
        self.nearest_ms = 1 if period_s is None else max(1, round(period_s * 500))
        self.gap_ms: float = inf if period_s is None else max(GAP_AT_LEAST_MS, GAP_PERIODS * period_s * 1000)
        if any(limit.gap_s is not None for limit in limits):
            self.gap_ms = min(limit.gap_s * 1000 for limit in limits if limit.gap_s is not None)
        self.off_after_ms = min(
            (limit.off_after_s * 1000 for limit in limits if limit.off_after_s is not None), default=inf
        )
        self.steps = tuple(_step(limit, self.nearest_ms) for limit in limits)
        count = len(self.quantities)
        self.names = crc32(",".join(self.quantities).encode())
        self.calm_state = struct.Struct(f"{_HEAD.format}{count}d{count}d{count}q")


def _step(limit: Limits, nearest_ms: int) -> float:
    per_s = min((x for x in (limit.rate_per_s, limit.rate_fail_per_s) if x is not None), default=inf)
    spike = min((x for x in (limit.spike, limit.spike_fail) if x is not None), default=inf)
    return min(per_s * nearest_ms / 1000, spike) * STEP_MARGIN


def profile(
    quantities: Sequence[str],
    overrides: Overrides = NO_OVERRIDES,
    node: str = "",
    period_s: float | None = None,
) -> Profile:
    """Return the limits of a node's quantities; a quantity that nobody knows is taken as it comes."""
    return Profile(quantities, [overrides.limits(name, node) or Limits() for name in quantities], period_s)


def age(state: bytes) -> tuple[int, int, bool]:
    """Return of which time a state is, of which start, and whether it is a calm one."""
    _, _, t_ms, _, boot, mood = _HEAD.unpack_from(state)
    return t_ms, boot, bool(mood & 1)


class Checks:
    """The checks of one node. Times are epoch ms of event time, values in their units, before calibration.

    t_ms: the newest reading's time. calm: see above; calm_until_ms: from then on a rest may be a flat line.
    spacing: while calm, the next reading comes more than the first and at most the second of these ms later.
    window: what the quick path keeps while calm lasts. node, boot: whose they are, and which of its starts was
    heard last, for the caller to use. kept: the state that the caller has written down.
    """

    __slots__ = (
        "_apart",
        "_started_ms",
        "_tracks",
        "boot",
        "calm",
        "calm_until_ms",
        "kept",
        "last",
        "node",
        "prior",
        "profile",
        "since_ms",
        "spacing",
        "t_ms",
        "window",
    )

    def __init__(self, of: Profile, node: str = "") -> None:
        self.profile = of
        self.node = node
        self.kept = b""
        self.begin()

    def begin(self) -> None:
        """Forget the past."""
        self.t_ms = _NEVER
        self.boot = 0
        self.calm = False
        self.calm_until_ms = 0
        self.last = NO_VALUES
        self.prior = NO_VALUES  # not a number where there is none
        self.since_ms = NO_TIMES
        self.window = NO_VALUES
        self._apart = False
        self.spacing: tuple[float, float] = self._spacing()
        self._tracks: list[Track | None] = [None] * len(self.profile.quantities)
        self._started_ms = _NEVER

    def started(self, t_ms: int) -> None:
        """The node's sensors were switched on at `t_ms`: what they say while they warm up is doubted."""
        self._started_ms = t_ms
        self._spread()

    def take(self, t_ms: int, values: Sequence[float | None], *, alone: bool = False) -> Verdict:
        """Judge a reading; late data, or any with `alone`, by the tests of single readings, without a trace."""
        calibrated = self._calibrated(t_ms, values)
        marks = _alone(values, calibrated, self.profile)
        revised: list[Revision] = []
        if not alone and t_ms > self.t_ms:
            self._in_time(t_ms, calibrated, marks, revised)
        verdicts = [meaning(found) for found in marks]
        return Verdict(
            [flag for flag, _ in verdicts], [names for _, names in verdicts], calibrated, revised or None
        )

    def dump(self) -> bytes:
        """Return the state, about 25 bytes a quantity."""
        head = (
            _VERSION,
            self.profile.names,
            self.t_ms,
            self._started_ms,
            self.boot,
            self.calm | self._apart << 1,
        )
        if self.calm:  # nearly always: once a node and commit
            return self.profile.calm_state.pack(*head, *self.last, *self.prior, *self.since_ms)
        if self.t_ms == _NEVER:
            return _HEAD.pack(*head)
        return _HEAD.pack(*head) + b"".join(_track_bytes(track, self.t_ms) for track in self._tracks)

    def load(self, data: bytes) -> bool:
        """Take up a state; tell whether it was one of these quantities. Else the past is forgotten."""
        self.begin()
        count = len(self.profile.quantities)
        if len(data) < _HEAD.size:
            return False
        version, names, t_ms, started_ms, boot, mood = _HEAD.unpack_from(data)
        calm = mood & 1
        body = data[_HEAD.size :]
        size = self.profile.calm_state.size - _HEAD.size if calm else _ROUGH.size * count
        if version != _VERSION or names != self.profile.names or len(body) not in (0, size):
            return False
        self.t_ms, self._started_ms, self.boot = t_ms, started_ms, boot
        self._apart = bool(mood & 2)
        if not body:
            return True
        if calm:
            said = self.profile.calm_state.unpack(data)[-3 * count :]
            for index in range(count):
                last, prior, since_ms = said[index::count]
                before = None if isnan(prior) else prior
                self._tracks[index] = Track(last, t_ms, before, last, since_ms, last, t_ms)
            self._gather()
        else:
            self._tracks = [_track_from(fields, t_ms) for fields in _ROUGH.iter_unpack(body)]
        return True

    def under(self, of: Profile) -> Checks:
        """Return checks for another profile that know what these know of the quantities in both."""
        other = Checks(of, self.node)
        other.t_ms, other._started_ms, other.boot = self.t_ms, self._started_ms, self.boot
        other._apart, other.kept = self._apart, self.kept
        self._spread()
        known = dict(zip(self.profile.quantities, self._tracks, strict=True))
        other._tracks = [known.get(name) for name in of.quantities]
        return other

    def _calibrated(self, t_ms: int, values: Sequence[float | None]) -> list[float | None]:
        found = list(values)
        for index, limit in enumerate(self.profile.limits):
            raw = found[index]
            if limit.calibration and raw is not None and raw not in limit.sentinels:
                calibration = valid_at(limit.calibration, t_ms)
                if calibration is not None:
                    found[index] = calibration.apply(raw)
        return found

    def _in_time(
        self, t_ms: int, values: Sequence[float | None], marks: list[int], revised: list[Revision]
    ) -> None:
        """Judge a reading that is newer than all before."""
        self._spread()
        gap_ms = t_ms - self.t_ms
        was_apart, self._apart = self._apart, self.t_ms != _NEVER and gap_ms > self.profile.gap_ms
        if self._apart and not was_apart:
            marks[:] = [found if found & NO_VALUE else found | _GAP for found in marks]
        if self.t_ms != _NEVER and gap_ms >= self.profile.off_after_ms:
            self._started_ms = t_ms
        for index, limit in enumerate(self.profile.limits):
            if marks[index] & NO_VALUE:
                continue
            if t_ms < self._started_ms + limit.warm_up_s * 1000:
                marks[index] |= _WARM_UP
            value, track = values[index], self._tracks[index]
            assert value is not None
            at_ms = track.at_ms if track else t_ms
            self._tracks[index], marks[index], changed = judge(track, limit, t_ms, value, marks[index])
            if changed:
                revised.append(Revision(at_ms, index, *meaning(changed)))
        self.t_ms = t_ms
        self._gather()

    def _spacing(self) -> tuple[float, float]:
        """Return how far off the next reading is expected. Who sends seldom all the time leaves no gaps."""
        of = self.profile
        return (of.gap_ms, inf) if self._apart else (of.nearest_ms - 1, of.gap_ms)

    def _spread(self) -> None:
        """Make a Track of each quantity out of the calm state."""
        if self.calm:
            rows = zip(self.last, self.prior, self.since_ms, strict=True)
            self._tracks = [
                Track(last, self.t_ms, None if isnan(prior) else prior, last, since_ms, last, self.t_ms)
                for last, prior, since_ms in rows
            ]
            self.calm = False

    def _gather(self) -> None:
        """Put the tracks together where the node is calm."""
        for track, limit, step in zip(self._tracks, self.profile.limits, self.profile.steps, strict=True):
            if (
                track is None
                or track.at_ms != self.t_ms
                or track.marks
                or self.t_ms < self._started_ms + limit.warm_up_s * 1000
                or limit.calibration
                or limit.flat_tolerance > 0
                or (track.prior is not None and abs(track.last - track.prior) > step)
            ):
                return
        tracks = [track for track in self._tracks if track is not None]
        self.last = array("d", [track.last for track in tracks])
        self.prior = array("d", [nan if track.prior is None else track.prior for track in tracks])
        self.since_ms = array("q", [track.since_ms for track in tracks])
        self.calm_until_ms = _calm_until(self.since_ms, self.profile.limits)
        self._tracks = []
        self.window = NO_VALUES
        self.spacing = self._spacing()
        self.calm = True


def _alone(values: Sequence[float | None], calibrated: Sequence[float | None], of: Profile) -> list[int]:
    marks = [alone(value, limit) for value, limit in zip(calibrated, of.limits, strict=True)]
    for index, limit in enumerate(of.limits):
        if limit.calibration and values[index] in limit.sentinels:
            marks[index] |= alone(values[index], limit)
    if of.pairs:
        for index, found in cross_marks(of.pairs, calibrated, [not mark & NO_VALUE for mark in marks]).items():
            marks[index] |= found
    return marks


def _calm_until(since_ms: Sequence[int], limits: Sequence[Limits]) -> int:
    """Return the first time at which a quantity that rests would be a flat line."""
    found = 2**62
    for since, limit in zip(since_ms, limits, strict=True):
        for after_s in (limit.flat_after_s, limit.flat_fail_after_s):
            if after_s is not None:
                found = min(found, since + int(after_s * 1000))
    return found


def _track_bytes(track: Track | None, t_ms: int) -> bytes:
    if track is None:
        return _ROUGH.pack(nan, nan, nan, nan, 0, 0, 0, 0, 0, 0)
    ages = (min(t_ms - at_ms, _LONGEST_MS) for at_ms in (track.at_ms, track.since_ms, track.trusted_ms))
    prior = nan if track.prior is None else track.prior
    return _ROUGH.pack(track.last, prior, track.base, track.trusted, *ages, *halves(track.marks))


def _track_from(row: Sequence[float], t_ms: int) -> Track | None:
    last, prior, base, trusted, at, since, trusted_at, *marks = row
    if isnan(last):
        return None
    times = [t_ms - int(age) for age in (at, since, trusted_at)]
    before = None if isnan(prior) else prior
    return Track(last, times[0], before, base, times[1], trusted, times[2], joined(*map(int, marks)))
