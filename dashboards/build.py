"""Boards -> files: what Grafana provisions, and the check that the files are what the catalogue says."""

from __future__ import annotations

import json
from pathlib import Path

from dashboards.alerting.files import rendered
from dashboards.boards import Board, boards
from edge.model.errors import CityError

GENERATED = Path(__file__).resolve().parent / "generated"


class DashboardError(CityError):
    """A dashboard file is not current, or Grafana did not take a dashboard."""


def render(board: Board) -> str:
    """Return a board's file, the same bytes for the same catalogue: a line a panel, so that a change shows."""
    given = board.to_dict()
    panels = ",\n  ".join(_line(panel) for panel in given.pop("panels"))
    head = ",\n ".join(f"{_line(key)}: {_line(value)}" for key, value in given.items())
    return f'{{\n {head},\n "panels": [\n  {panels}\n ]\n}}\n'


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def files() -> dict[str, str]:
    """Return every file by name."""
    found = {f"{board.name}.{board.language}.json": render(board) for board in boards()}
    return {**found, **{f"alerting/{name}": text for name, text in rendered().items()}}


def write(folder: Path = GENERATED) -> list[str]:
    """Write the files that differ; return their names."""
    stale = _stale(folder)
    current = files()
    for name in stale:
        if name in current:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(current[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return stale


def check(folder: Path = GENERATED) -> None:
    """Raise DashboardError unless the folder holds what the catalogue says, and nothing else."""
    if stale := _stale(folder):
        raise DashboardError(
            f"dashboards are not what the catalogue says: {', '.join(stale)}",
            remedy="run: cityneuron dashboards build",
        )


def _stale(folder: Path) -> list[str]:
    current = files()
    paths = [*folder.glob("*.json"), *(path for path in folder.glob("alerting/**/*") if path.is_file())]
    found = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    return sorted(name for name in current.keys() | found.keys() if current.get(name) != found.get(name))
