"""Cutting a message to what a service takes: between lines, never within a character, and never in silence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.channels.message import Language, Message, Occasion, clipped
from edge.model.alert import Level

LINK = "https://wall.example/alerts"


def message(title: str = "【预警汇总】共 40 起", lines: tuple[str, ...] = (), url: str = LINK) -> Message:
    return Message(key="k", occasion=Occasion.DIGEST, level=Level.RED, title=title, lines=lines, url=url)


def test_what_fits_is_left_as_it_is() -> None:
    whole = message(lines=("一", "二"))
    assert whole.within(2048) == whole.text == f"【预警汇总】共 40 起\n一\n二\n{LINK}"


def test_whole_lines_are_left_out_and_counted_and_the_link_stays() -> None:
    digest = message(
        lines=tuple(f"✸ 红 第 {number} 号站：水位 3.12 m，超保证水位 3.00 m" for number in range(60))
    )
    text = digest.within(2048)
    lines = text.split("\n")
    assert len(text.encode()) <= 2048
    assert lines[0] == digest.title and lines[-1] == LINK
    assert lines[1:-2] == list(digest.lines[: len(lines) - 3])
    assert lines[-2] == f"（另有 {60 - (len(lines) - 3)} 行未显示，详见链接）"


def test_a_title_that_is_too_long_is_cut_between_characters() -> None:
    text = message(title="水" * 1000, lines=("一",)).within(2048)
    assert len(text.encode()) <= 2048
    assert text.endswith(f"…\n{LINK}") and set(text.split("\n")[0]) == {"水", "…"}


@given(
    st.text(max_size=80),
    st.lists(st.text(max_size=60), max_size=30),
    st.integers(64, 3000),
    st.sampled_from(Language),
)
def test_no_text_is_longer_than_allowed(title: str, lines: list[str], most: int, language: Language) -> None:
    text = Message(
        key="k",
        occasion=Occasion.DIGEST,
        level=None,
        title=title,
        lines=tuple(lines),
        url=LINK,
        language=language,
    ).within(most)
    assert len(text.encode()) <= most
    assert LINK in text


@given(st.text(), st.integers(0, 50))
def test_clipping_keeps_whole_characters(text: str, most: int) -> None:
    short = clipped(text, most)
    assert len(short.encode()) <= most
    assert text.startswith(short.removesuffix("…"))
