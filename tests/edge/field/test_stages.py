"""A course tells of each stage in order, with its time, and stops at the first failure."""

from __future__ import annotations

import pytest
from field_rig import Clock

from edge.field.diagnosis import FieldError, Symptom, diagnose
from edge.field.stages import ABOUT, Course, Stage, State


def test_every_stage_is_explained_in_a_few_words() -> None:
    assert set(ABOUT) == set(Stage)


async def test_a_course_times_its_stages_and_tells_of_every_change() -> None:
    clock = Clock()
    seen: list[tuple[str, str]] = []
    course = Course(
        (Stage.PORT, Stage.CHIP), clock, lambda c: seen.append((c.steps[Stage.PORT].state, _detail(c)))
    )
    with course.at(Stage.PORT) as step:
        course.say("looking", 0.5)
        await clock.sleep(2)
        step.detail = "/dev/ttyUSB0"
    with course.at(Stage.CHIP) as step:
        step.state = State.KEPT
    assert seen[:3] == [("running", ""), ("running", "looking"), ("done", "/dev/ttyUSB0")]
    assert course.steps[Stage.PORT].seconds == 2
    assert course.steps[Stage.CHIP].state is State.KEPT
    assert course.seconds == 2 and course.running is None and course.failed is None


def _detail(course: Course) -> str:
    return course.steps[Stage.PORT].detail


def test_a_failure_fails_its_stage_and_leaves_the_later_ones_waiting() -> None:
    course = Course((Stage.PORT, Stage.CHIP), Clock())
    with pytest.raises(FieldError), course.at(Stage.PORT):
        raise diagnose(Symptom.NO_BOARD)
    assert [row["state"] for row in course.to_dict()] == ["failed", "waiting"]
    assert course.failed is course.steps[Stage.PORT]
