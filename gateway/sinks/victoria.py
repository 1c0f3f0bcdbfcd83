"""What VictoriaMetrics drops without a word: it answers 204 to everything, and tells only by its counters."""

from __future__ import annotations

import re
from collections.abc import Mapping

DROPS = {
    'vm_rows_invalid_total{type="influx"}': "lines that are not line protocol",
    'vm_rows_ignored_total{reason="small_timestamp"}': "values older than it keeps",
    'vm_rows_ignored_total{reason="big_timestamp"}': "values too far ahead of its clock",
    'vm_rows_ignored_total{reason="nan_value"}': "values that are no number",
    "vm_relabel_metrics_dropped_total": "series that its relabelling removes",
    "vm_metrics_with_dropped_labels_total": "series with more labels than it keeps",
    "vm_too_long_label_values_total": "tags longer than it keeps",
}
"""The counters that grow when something is dropped or cut, and what they count. Seen on 1.79.5."""

_SAMPLE = re.compile(r"^(\w+(?:\{[^}]*\})?) ([-+0-9.eE]+)$", re.MULTILINE)


def read_drops(metrics: str) -> dict[str, float] | None:
    """Return the counters of DROPS in the text of `/metrics`; None where it is not that of VictoriaMetrics."""
    found = {name: float(value) for name, value in _SAMPLE.findall(metrics)}
    if not any(name.startswith("vm_rows_") for name in found):
        return None
    return {name: found[name] for name in DROPS if name in found}


def growth(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, int]:
    """Return which counters grew, and by how much; one that fell began anew with its server."""
    grown = {}
    for name, value in after.items():
        base = before.get(name, 0.0)
        if more := round(value - base if value >= base else value):
            grown[name] = more
    return grown


def in_words(grown: Mapping[str, int]) -> str:
    """Say what was dropped."""
    return ", ".join(f"{count:,} {DROPS[name]}" for name, count in grown.items())
