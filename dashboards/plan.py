"""What pushing would change in a Grafana: a step a folder, board or alerting object, none taken yet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dashboards.boards import TAG
from dashboards.check.walk import as_dict, as_dicts, lost, place
from dashboards.grafana import Grafana, Json

FOLDER_UID = "city-neuron"

MARK = "cityneuron "
"""The message of a version that we saved begins so; the hash of what was pushed follows.
What people saved after it is known by Grafana's own history, and the board itself holds nothing of ours."""

_OF_GRAFANA = ("id", "version")
_MOST_DIFFERENCES = 12


class Verdict(StrEnum):
    """What pushing does with a thing."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    KEPT = "kept"
    """People changed it in Grafana: it stays as they left it, unless forced."""
    GONE = "removed"
    FILE = "from files"
    """Grafana reads it from provisioning files, and takes it from nowhere else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing, what would be done with it, and how."""

    kind: str
    name: str
    verdict: Verdict
    note: str = ""
    differences: tuple[str, ...] = ()
    path: str = ""
    """Where it is to be seen, below Grafana's address."""
    take: Callable[[], Any] | None = None


def digest(content: Json) -> str:
    """Return what identifies the content of a board, however Grafana writes it."""
    content = {key: value for key, value in content.items() if key not in _OF_GRAFANA}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def folder(grafana: Grafana, uid: str, title: str) -> Step:
    """The folder that boards or rules go into; one of another title is kept."""
    found = grafana.get("folders", uid)
    if found is None:
        return Step(
            kind="folder",
            name=title,
            verdict=Verdict.NEW,
            take=lambda: grafana.post("folders", body={"uid": uid, "title": title}),
        )
    note = "" if found.get("title") == title else f"people call it “{found.get('title')}”"
    return Step(kind="folder", name=title, verdict=Verdict.SAME, note=note)


def boards(grafana: Grafana, contents: Sequence[Json], *, force: bool) -> Iterator[Step]:
    """A step a board."""
    for content in contents:
        found = grafana.get("dashboards", "uid", str(content["uid"]))
        yield _board(grafana, content, found, force=force)


def left_over(grafana: Grafana, contents: Sequence[Json]) -> Iterator[Step]:
    """Boards that we pushed once and the catalogue has no more: nobody is made to miss one, but it is said."""
    ours = {str(content["uid"]) for content in contents}
    for found in as_dicts(grafana.get("search", tag=TAG, type="dash-db")):
        uid = str(found.get("uid"))
        if uid not in ours and str(_last_version(grafana, uid).get("message") or "").startswith(MARK):
            yield Step(
                kind="board",
                name=f"{found.get('title')} ({uid})",
                verdict=Verdict.KEPT,
                note="the catalogue has it no more: remove it in Grafana if nobody needs it",
                path=f"/d/{uid}",
            )


def _board(grafana: Grafana, content: Json, found: Json | None, *, force: bool) -> Step:
    uid, title = str(content["uid"]), str(content.get("title", ""))
    name = f"{title} ({uid})"
    if found is None:
        return Step(
            kind="board",
            name=name,
            verdict=Verdict.NEW,
            path=f"/d/{uid}",
            take=lambda: _save(grafana, content, FOLDER_UID, version=None),
        )
    there, meta = as_dict(found.get("dashboard")), as_dict(found.get("meta"))
    differences = tuple(changes(content, there))
    moved = (
        ""
        if meta.get("folderUid", "") == FOLDER_UID
        else f"stays in folder “{meta.get('folderTitle') or 'General'}”"
    )
    same = Step(kind="board", name=name, verdict=Verdict.SAME, note=moved, path=f"/d/{uid}")
    if meta.get("provisioned"):
        note = f"Grafana reads it from {meta.get('provisionedExternalId') or 'a file'}"
        return Step(
            kind="board", name=name, verdict=Verdict.FILE, note=note, differences=differences, path=f"/d/{uid}"
        )
    last = _last_version(grafana, uid)
    pushed = str(last.get("message") or "")
    ours = pushed.startswith(MARK)
    if (ours and pushed == MARK + digest(content)) or digest(there) == digest(content):
        return same
    if not ours and not force:
        note = (
            f"changed in Grafana by {last.get('createdBy') or 'somebody'}, {last.get('created') or 'some day'}"
        )
        note += "; --force overwrites it"
        return Step(
            kind="board", name=name, verdict=Verdict.KEPT, note=note, differences=differences, path=f"/d/{uid}"
        )
    return Step(
        kind="board",
        name=name,
        verdict=Verdict.CHANGED,
        note=moved if ours else "overwrites what people changed; Grafana's history keeps it",
        differences=differences,
        path=f"/d/{uid}",
        take=lambda: _save(grafana, content, str(meta.get("folderUid") or ""), version=there.get("version")),
    )


def _save(grafana: Grafana, content: Json, folder_uid: str, *, version: Any) -> Any:
    """Save a board. The version that was looked at goes along: whoever saved meanwhile makes it a 412."""
    board = {**content, "id": None} | ({} if version is None else {"version": version})
    body = {"dashboard": board, "folderUid": folder_uid, "message": MARK + digest(content), "overwrite": False}
    return grafana.post("dashboards", "db", body=body)


def _last_version(grafana: Grafana, uid: str) -> Json:
    """Return the newest entry of a board's history; before Grafana 11 the list came bare."""
    found = grafana.get("dashboards", "uid", uid, "versions", limit=1)
    versions = as_dicts(found if isinstance(found, list) else as_dict(found).get("versions"))
    return max(versions, key=lambda entry: int(entry.get("version") or 0), default={})


def changes(ours: Json, theirs: Json) -> Iterator[str]:
    """Say in words what pushing would change, panel by panel; the first dozen."""
    said = [*_panels(ours, theirs)]
    rest = {key: value for key, value in ours.items() if key not in ("panels", *_OF_GRAFANA)}
    said += [f"{path}: {_short(there)} -> {_short(our)}" for path, our, there in lost(rest, theirs)]
    yield from said[:_MOST_DIFFERENCES]
    if len(said) > _MOST_DIFFERENCES:
        yield f"and {len(said) - _MOST_DIFFERENCES} more"


def _panels(ours: Json, theirs: Json) -> Iterator[str]:
    mine, their = _by_id(ours), _by_id(theirs)
    for number, panel in mine.items():
        if number not in their:
            yield f"{place(panel)}: added"
        else:
            for path, our, there in lost(panel, their[number]):
                yield f"{place(panel)} {path}: {_short(there)} -> {_short(our)}"
    for number in their.keys() - mine.keys():
        yield f"{place(their[number])}: removed"


def _by_id(board: Json) -> dict[Any, Json]:
    items = as_dicts(board.get("panels"))
    inner = [panel for row in items for panel in as_dicts(row.get("panels"))]
    return {item.get("id"): {k: v for k, v in item.items() if k != "panels"} for item in [*items, *inner]}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"
