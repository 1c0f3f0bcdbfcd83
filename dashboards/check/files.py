"""Files -> what is checked: boards, alert files and data sources, sorted by what they say, not by name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from dashboards.boards import boards
from dashboards.build import GENERATED, DashboardError
from dashboards.check.fault import Fault

Json = dict[str, Any]

PROVISIONING = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "provisioning"

ALERTING = frozenset(
    {"groups", "deleteRules", "contactPoints", "deleteContactPoints", "policies", "resetPolicies"}
    | {"muteTimes", "deleteMuteTimes", "templates", "deleteTemplates"}
)
"""What an alert file may hold (Grafana, provisioning/alerting)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """What was read, each by the name of its file."""

    boards: dict[str, Json] = field(default_factory=dict)
    alerting: dict[str, Json] = field(default_factory=dict)
    sources: dict[str, Json] = field(default_factory=dict)
    unreadable: tuple[Fault, ...] = ()

    def entries(self, key: str) -> Iterator[tuple[str, Json]]:
        """Every entry of a list in the alert files (`groups`, `policies`...), with its file's name."""
        for name, content in self.alerting.items():
            found = content.get(key)
            for entry in found if isinstance(found, list) else ():
                if isinstance(entry, dict):
                    yield name, entry

    def choices(self) -> list[Files]:
        """The same boards with each folder of alert files: Grafana is given one of them."""
        folders = dict.fromkeys(Path(name).parent for name in self.alerting) or {Path(): None}
        return [
            replace(
                self, alerting={name: c for name, c in self.alerting.items() if Path(name).parent == folder}
            )
            for folder in folders
        ]


@cache
def generated() -> dict[str, Json]:
    """Return our own boards by uid: what links and rules may point to. Not to be changed."""
    return {board.uid: board.to_dict() for board in boards()}


def standard() -> tuple[Path, ...]:
    """What is checked when nothing is named: what is generated and, in a checkout, what deploy/ provisions."""
    return (GENERATED, PROVISIONING) if PROVISIONING.is_dir() else (GENERATED,)


def read(paths: Iterable[Path]) -> Files:
    """Read files and folders. What is no JSON or YAML is a fault. Raises DashboardError if nothing is there."""
    files, unreadable, found = Files(), [], False
    for root in paths:
        if not root.exists():
            raise DashboardError(
                f"{root} is not there", remedy="name a file or a folder of boards or alert files"
            )
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.suffix not in (".json", ".yaml", ".yml"):
                continue
            found = True
            name = str(path.relative_to(root)) if root.is_dir() else path.name
            try:
                content = parse(path.read_text(encoding="utf-8"), path.suffix)
            except ValueError as error:
                unreadable.append(_unreadable(name, f"cannot be read: {error}"))
                continue
            unreadable += sort_in(files, name, content)
    if not found:
        raise DashboardError("nothing to check", remedy="name a folder with .json or .yaml files")
    return Files(
        boards=files.boards, alerting=files.alerting, sources=files.sources, unreadable=tuple(unreadable)
    )


def parse(text: str, suffix: str) -> Any:
    """Return what a file says. Raises ValueError."""
    if suffix == ".json":
        return json.loads(text)
    try:
        import yaml
    except ImportError as error:
        raise DashboardError(
            f"{error.name} is not installed", remedy="pip install 'cityneuron[check]'"
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def sort_in(files: Files, name: str, content: Any) -> list[Fault]:
    """Put a file where it belongs; return a fault if it belongs nowhere."""
    if not isinstance(content, dict):
        return [_unreadable(name, "is not a table of keys and values")]
    if "providers" in content:  # says where boards lie; nothing of ours to check
        return []
    if "datasources" in content:
        files.sources[name] = content
    elif ALERTING & content.keys() or "apiVersion" in content:
        files.alerting[name] = content
    else:
        files.boards[name] = content
    return []


def _unreadable(name: str, what: str) -> Fault:
    return Fault(file=name, where="file", what=what, remedy="write it anew: cityneuron dashboards build")
