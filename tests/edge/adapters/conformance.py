"""The vectors of shared/data/protocols, asked as `cityneuron decode` asks; and frames cut or bent anywhere."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.adapters import adapter
from edge.adapters.cli import decoded


def lines(folder: Path, protocol: str) -> list[dict[str, Any]]:
    """Return the cases of a protocol, in their order (frames of a group follow one another)."""
    found: list[dict[str, Any]] = json.loads((folder / "protocols" / f"{protocol}.json").read_text("utf-8"))
    assert found
    return found


def wrong(folder: Path, protocol: str) -> Iterator[str]:
    """Yield what a decoder says otherwise than a vector expects; a profile is tried where a case has one."""
    cases = lines(folder, protocol)
    plain = [{key: value for key, value in case.items() if key != "profile"} for case in cases]
    yield from _compare(protocol, cases, plain, "expect")
    allowed = [case for case in cases if "expect_with_profile" in case]
    yield from _compare(protocol, allowed, allowed, "expect_with_profile")


def _compare(
    protocol: str, cases: list[dict[str, Any]], asked: list[dict[str, Any]], key: str
) -> Iterator[str]:
    answers = decoded(map(json.dumps, asked), adapter(protocol).decoder())
    for number, (case, answer) in enumerate(zip(cases, answers, strict=True)):
        if key not in case:
            if "error" not in answer:
                yield f"case {number} ({case['note']}) should be refused ({case['expect_error']}): {answer}"
            continue
        expected = {**case[key], **(case.get("group_expect", {}) if key == "expect" else {})}
        for name, value in expected.items():
            if name not in answer or not _same(answer[name], value):
                yield f"case {number} ({case['note']}) {name}: {answer.get(name, answer)!r}, not {value!r}"
        if extra := answer.keys() - expected.keys():
            yield f"case {number} ({case['note']}) says besides: {sorted(extra)}"


def _same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, (int, float)) and not isinstance(found, bool):
        return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-12)
    if isinstance(expected, dict) and isinstance(found, dict):
        return found.keys() == expected.keys() and all(_same(found[key], expected[key]) for key in expected)
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(map(_same, found, expected))
    return bool(found == expected) and type(found) is type(expected)
