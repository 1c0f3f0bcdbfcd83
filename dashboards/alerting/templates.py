"""What a message looks like: how many and how bad in the subject, then a line each, the worst first.

Only what Alertmanager knows too is used (alerts, labels, annotations), so that `amtool` renders it in tests.
"""

from __future__ import annotations

from dashboards.panels import Json
from edge.channels.words import MARKS
from edge.model.alert import Level

NAME = "city"


def templates() -> list[Json]:
    """Return the one group of templates: city.subject and city.message in both languages, city.zh, city.en."""
    parts = [
        _define(
            "city.subject",
            "{{ if .Alerts.Firing }}【预警 Alert】{{ (index .Alerts.Firing 0).Annotations.summary_zh }}"
            "{{ if gt (len .Alerts.Firing) 1 }} 等 {{ len .Alerts.Firing }} 起{{ end }}"
            "{{ else if .Alerts.Resolved }}"
            "【解除 Resolved】{{ (index .Alerts.Resolved 0).Annotations.summary_zh }}"
            "{{ if gt (len .Alerts.Resolved) 1 }} 等 {{ len .Alerts.Resolved }} 起{{ end }}{{ end }}",
        ),
        _define("city.message", '{{ template "city.zh" . }}\n{{ template "city.en" . }}'),
        _define("city.zh", _lines("summary_zh", "解除：")),
        _define("city.en", _lines("summary_en", "Resolved: ")),
    ]
    return [{"orgId": 1, "name": NAME, "template": "\n".join(parts)}]


def _define(name: str, text: str) -> str:
    return f'{{{{ define "{name}" }}}}{text}{{{{ end }}}}'


def _lines(summary: str, resolved: str) -> str:
    """A line an alert: those that fire level by level, then those that are over."""
    said = f"{{{{ .Annotations.{summary} }}}}\n"
    firing = "".join(
        f'{{{{ range .Alerts.Firing }}}}{{{{ if eq .Labels.level "{level.word}" }}}}{MARKS[level]} {said}'
        "{{ end }}{{ end }}"
        for level in sorted(Level, reverse=True)
    )
    return f"{firing}{{{{ range .Alerts.Resolved }}}}✓ {resolved}{said}{{{{ end }}}}"
