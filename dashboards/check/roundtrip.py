"""Round trip: what Grafana's own SDK writes is what it read; what it does not know, it drops."""

from __future__ import annotations

import json
import re
from typing import Any

from dashboards.build import DashboardError
from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json
from dashboards.check.variables import panel_at
from dashboards.check.walk import lost

_OF_A_SOURCE = re.compile(r"annotations\.list\[\d+\]\.target\.")
"""The SDK knows the annotations that Grafana keeps itself; those of a data source are that source's own."""

_MOST = 60  # letters of a value that a fault shows


def check(files: Files) -> Faults:
    """Send every board through the SDK."""
    for name, board in files.boards.items():
        try:
            back = through(board)
        except DashboardError:
            raise
        except Exception as error:  # the SDK's readers raise whatever the wrong type of a value leads to
            yield Fault(
                file=name,
                where="board",
                what=f"is not readable by Grafana's SDK: {type(error).__name__}: {error}",
                remedy="compare the types of its values with a generated board",
            )
            continue
        for path, ours, theirs in lost(board, back):
            if _OF_A_SOURCE.match(path):
                continue
            became = "dropped" if theirs is None else f"read as {_short(theirs)}"
            yield Fault(
                file=name,
                where=panel_at(board, path),
                what=f"{path} = {_short(ours)} is {became} by Grafana's SDK",
                remedy="is the key right, and the value of its type?",
            )


def through(board: Json) -> Any:
    """Return the board as the SDK writes it after reading it."""
    try:
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
        from grafana_foundation_sdk.cog.plugins import register_default_plugins
        from grafana_foundation_sdk.models.dashboard import Dashboard
    except ImportError as error:
        raise DashboardError(
            f"{error.name} is not installed", remedy="pip install 'cityneuron[check]'"
        ) from None
    register_default_plugins()
    copy = json.loads(json.dumps(board))
    return json.loads(json.dumps(Dashboard.from_json(copy), cls=JSONEncoder))


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
