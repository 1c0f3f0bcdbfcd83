"""Every decoder that takes bytes from outside, under a short fire: `make fuzz` is a million of the same."""

from __future__ import annotations

import pytest
from fuzz.run import Finding, fuzz
from fuzz.targets import FOREIGN, TARGETS, Target

INPUTS = 20_000 // len(TARGETS)


def told(finding: Finding | None) -> str:
    return f"{finding.error!r}: {finding.command}" if finding else ""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_hostile_input_is_refused_in_the_declared_way(target: Target) -> None:
    tally = fuzz(target, INPUTS, seed=1)
    assert tally.finding is None, told(tally.finding)
    assert tally.inputs == INPUTS
    assert 50 < tally.accepted < INPUTS / 2 and len(tally.outcomes) >= 4, tally.outcomes


@pytest.mark.parametrize("target", FOREIGN, ids=lambda target: target.name)
def test_a_foreign_protocol_refuses_hostile_frames_in_the_declared_way(target: Target) -> None:
    tally = fuzz(target, INPUTS, seed=1)
    assert tally.finding is None, told(tally.finding)
    assert tally.inputs == INPUTS and 20 < tally.accepted < INPUTS and len(tally.outcomes) >= 4, tally.outcomes


def test_one_seed_makes_one_run_and_another_seed_another() -> None:
    runs = [fuzz(TARGETS[0], 300, seed).outcomes for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_a_refusal_that_nobody_declared_is_found_with_the_command_that_repeats_it() -> None:
    def careless(payload: bytes) -> str:
        return f"accepted {payload.decode()}"

    tally = fuzz(Target("topic", careless, (b"cn/v1/ys-07/data",)), 10_000, seed=1)
    assert tally.finding is not None and isinstance(tally.finding.error, UnicodeDecodeError)
    command = tally.finding.command
    assert command.startswith('make fuzz ARGS="--target topic --hex ')
    with pytest.raises(UnicodeDecodeError):
        careless(bytes.fromhex(command.split()[-1].strip('"')))
