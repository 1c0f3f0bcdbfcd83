"""Draws labels: segno makes the QR code, Pillow the page; PNG for a label printer, PDF for a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import segno
from PIL import Image, ImageDraw, ImageFont

from edge.field.label import Label, Sheet, pages
from edge.model.errors import ConfigError

DPI = 300
_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "C:/Windows/Fonts/msyh.ttc",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
)
_BOLD = tuple(name.replace("Regular", "Bold").replace("Sans.ttf", "Sans-Bold.ttf") for name in _FONTS)
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def write_labels(labels: Sequence[Label], sheet: Sheet, file: Path, *, skip: int = 0) -> int:
    """Write a PDF of sheets or a PNG of one page; return the number of pages. Raises ConfigError."""
    drawn = [draw_page(page, sheet) for page in pages(labels, sheet, skip)]
    if file.suffix.lower() == ".pdf":
        drawn[0].save(file, save_all=True, append_images=drawn[1:], resolution=DPI)
    elif file.suffix.lower() == ".png":
        for number, page in enumerate(drawn, start=1):
            page.save(file if len(drawn) == 1 else file.with_stem(f"{file.stem}-{number}"), dpi=(DPI, DPI))
    else:
        raise ConfigError(f"cannot draw {file.name}", remedy="name it .pdf or .png")
    return len(drawn)


def draw_page(page: Sequence[tuple[float, float, Label]], sheet: Sheet) -> Image.Image:
    """Return a page of labels, black on white."""
    image = Image.new("L", (_dots(sheet.width), _dots(sheet.height)), 255)
    for left, top, label in page:
        _draw(image, label, left, top, sheet)
    return image


def _draw(image: Image.Image, label: Label, left: float, top: float, sheet: Sheet) -> None:
    """Draw a label: the code at the left, the words beside it, the id the largest."""
    margin = sheet.label_height * 0.08
    side = sheet.label_height - 2 * margin
    code = _code(label.url, _dots(side))
    image.paste(code, (_dots(left + margin), _dots(top + margin)))
    words_left = left + side + 2 * margin
    room = _dots(sheet.label_width - side - 3 * margin)
    draw = ImageDraw.Draw(image)
    line = side / 20
    for text, size, baseline, fonts in (
        (label.node, 4.6, 4.2, _BOLD),
        (label.kind, 2.7, 8.2, _FONTS),
        (f"check {label.check}", 3.2, 19.4, _BOLD),
    ):
        font = _fitting(text, _dots(line * size), room, fonts)
        at = (_dots(words_left), _dots(top + margin + line * baseline))
        draw.text(at, _cut(text, font, room), fill=0, font=font, anchor="ls")
    font = _font(_FONTS, _dots(line * 2.5))
    for number, text in enumerate(_wrap(label.place, font, room, lines=2)):
        at = (_dots(words_left), _dots(top + margin + line * (11.6 + 3.2 * number)))
        draw.text(at, text, fill=0, font=font, anchor="ls")


def _code(url: str, dots: int) -> Image.Image:
    """Return the QR code, each module a whole number of dots: blurred edges do not scan."""
    code = segno.make_qr(url, error="m")
    modules = int(code.symbol_size(border=2)[0])
    scale = max(1, dots // modules)
    picture = Image.new("L", (modules * scale, modules * scale), 255)
    draw = ImageDraw.Draw(picture)
    for y, row in enumerate(code.matrix_iter(border=2)):
        for x, dark in enumerate(row):
            if dark:
                draw.rectangle((x * scale, y * scale, (x + 1) * scale - 1, (y + 1) * scale - 1), fill=0)
    return picture


def _fitting(text: str, dots: int, room: int, names: Sequence[str]) -> _Font:
    """Return a font in which the text fits, not smaller than two thirds of what was wanted."""
    for size in (dots, dots * 5 // 6, dots * 2 // 3):
        font = _font(names, size)
        if font.getlength(text) <= room:
            break
    return font


def _cut(text: str, font: _Font, room: int) -> str:
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(f"{text}…") > room:
        text = text[:-1]
    return f"{text}…"


def _wrap(text: str, font: _Font, room: int, *, lines: int) -> list[str]:
    """Return a text in so many lines at most, broken between its words where that is possible."""
    found: list[str] = []
    rest = text
    while rest and len(found) < lines - 1 and font.getlength(rest) > room:
        fits = next(end for end in range(len(rest), 0, -1) if font.getlength(rest[:end]) <= room)
        end = rest.rfind(" ", 0, fits + 1)
        end = end if end > fits // 2 else fits
        found.append(rest[:end].rstrip(" ·"))
        rest = rest[end:].lstrip(" ·")
    return [*found, _cut(rest, font, room)] if rest else found


def _font(names: Sequence[str], size: int) -> _Font:
    for name in (*names, *_FONTS):
        if Path(name).exists():
            return ImageFont.truetype(name, size)
    return ImageFont.load_default(size)


def _dots(mm: float) -> int:
    return round(mm * DPI / 25.4)
