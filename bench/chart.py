"""A bar chart as SVG: few bars, figures beside them, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, LEFT, RIGHT, STEP, TOP = 760, 290, 90, 30, 40
OURS, OTHERS = "#0b7a75", "#9aa5b1"


def bars(title: str, rows: Sequence[tuple[str, float, bool]]) -> str:
    """Return the chart; a row is (label, value, whether it is ours)."""
    most, height = max(value for _, value, _ in rows), TOP + STEP * len(rows) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' font-family="system-ui, sans-serif" font-size="13"><title>{escape(title)}</title>',
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#fff"/>',
        f'<text x="16" y="25" font-size="15" font-weight="600" fill="#1f2933">{escape(title)}</text>',
    ]
    for index, (label, value, is_ours) in enumerate(rows):
        y, length = TOP + STEP * index, max(2.0, value / most * (WIDTH - LEFT - RIGHT))
        parts += [
            f'<text x="{LEFT - 10}" y="{y + 17}" text-anchor="end" fill="#1f2933">{escape(label)}</text>',
            f'<rect x="{LEFT}" y="{y + 3}" width="{length:.0f}" height="20" rx="2"'
            f' fill="{OURS if is_ours else OTHERS}"/>',
            f'<text x="{LEFT + length + 8:.0f}" y="{y + 17}" fill="#1f2933">{value:,.0f}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
