"""Labels: the words, where they go on a sheet, and a code that a phone can read."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from PIL import Image

from edge.field.label import SHEETS, check_code, label_of, pages, sheet_named
from edge.field.label_art import write_labels
from edge.model.errors import ConfigError

ROW = {"id": "stage-0001", "kind": "water_level", "label": {"en": "River mouth", "zh": "河口"}, "site": "mouth",
       "district": "yangpu"}  # fmt: skip


def test_a_label_says_id_kind_place_and_leads_to_the_nodes_page() -> None:
    label = label_of(ROW, "http://cloud:8080/n/")
    assert label.url == "http://cloud:8080/n/stage-0001"
    assert (label.kind, label.place) == ("水位站 Stage station", "河口 · River mouth · mouth · yangpu")


def test_a_check_code_tells_ids_apart_that_sound_alike() -> None:
    codes = {check_code(f"stage-{number:04}") for number in range(200)}
    assert len(codes) > 195 and all(len(code) == 4 for code in codes)
    assert check_code("stage-0001") == check_code("stage-0001")


@pytest.mark.parametrize("name", list(SHEETS))
def test_all_labels_of_a_sheet_lie_on_the_paper_and_none_on_another(name: str) -> None:
    sheet = sheet_named(name)
    places = [sheet.place(index) for index in range(sheet.labels)]
    assert {page for page, _, _ in places} == {0}
    for index, (_, left, top) in enumerate(places):
        assert left >= 0 and left + sheet.label_width <= sheet.width + 0.01
        assert top >= 0 and top + sheet.label_height <= sheet.height + 0.01
        for _, other_left, other_top in places[:index]:
            assert (
                abs(left - other_left) >= sheet.label_width - 0.01
                or abs(top - other_top) >= sheet.label_height - 0.01
            )


def test_many_labels_fill_pages_and_a_begun_sheet_is_used_up() -> None:
    labels = [label_of(ROW, "http://c/n")] * 20
    assert [len(page) for page in pages(labels, SHEETS["a4-14"])] == [14, 6]
    assert [len(page) for page in pages(labels, SHEETS["a4-14"], skip=10)] == [4, 14, 2]
    assert next(pages(labels, SHEETS["a4-14"], skip=10))[0][1] > 150, "the first label lies in the sixth row"


def test_a_pdf_and_a_png_are_written(tmp_path: Path) -> None:
    labels = [label_of(ROW | {"id": f"stage-{n:04}"}, "http://c/n") for n in range(15)]
    assert write_labels(labels, SHEETS["a4-14"], tmp_path / "labels.pdf") == 2
    assert (tmp_path / "labels.pdf").read_bytes().startswith(b"%PDF")
    assert write_labels(labels[:1], SHEETS["single"], tmp_path / "label.png") == 1
    with Image.open(tmp_path / "label.png") as image:
        assert image.size == (732, 343)
        assert image.getextrema() == (0, 255), "black on white"
    assert write_labels(labels[:2], SHEETS["single"], tmp_path / "two.png") == 2
    assert (tmp_path / "two-2.png").exists()


def test_the_modules_of_the_code_are_whole_dots(tmp_path: Path) -> None:
    """Each module is a square of one colour: what is blurred does not scan from a ladder."""
    write_labels([label_of(ROW, "http://c/n")], SHEETS["single"], tmp_path / "label.png")
    with Image.open(tmp_path / "label.png") as image:
        code = image.crop((0, 0, 343, 343)).point(lambda dot: 255 if dot > 127 else 0)
        columns = [bytes(code.crop((x, 0, x + 1, 343)).tobytes()) for x in range(343)]
    changes = [x for x in range(1, 343) if columns[x] != columns[x - 1]]
    widths = {b - a for a, b in itertools.pairwise(changes)}
    step = min(widths)
    assert step >= 4 and all(width % step == 0 for width in widths)


def test_another_form_or_file_is_refused_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match="no sheet"):
        sheet_named("a5")
    with pytest.raises(ConfigError, match="cannot draw"):
        write_labels([label_of(ROW, "http://c/n")], SHEETS["single"], Path("label.gif"))
