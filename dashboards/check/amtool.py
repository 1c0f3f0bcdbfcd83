"""amtool: routes, mute timings and templates, read by Alertmanager's own checker where it is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json
from dashboards.check.routes import matchers
from dashboards.check.walk import as_dicts

_SHARED = ("receiver", "group_by", "group_wait", "group_interval", "repeat_interval", "continue")
_INTERVALS = ("mute_time_intervals", "active_time_intervals")
_GRAFANA_ONLY = re.compile(r'function "(?:coll|data|tmpl|tz|time)[^"]*" not defined')
"""What Grafana's templates may call and Alertmanager's may not."""

_DEFINED = re.compile(r"define\s+\"([^\"]+)\"")
_LIMIT_S = 20


def check(files: Files) -> Faults:
    """Give Alertmanager what the alert files say of routing. Says nothing where amtool is not installed."""
    amtool = shutil.which("amtool")
    roots = list(files.entries("policies"))
    if amtool is None or (not roots and not list(files.entries("templates"))):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        owners = {}
        for number, (name, template) in enumerate(files.entries("templates")):
            (path / f"{number}.tmpl").write_text(str(template.get("template")), encoding="utf-8")
            owners[f"{number}.tmpl"] = (name, f"template “{template.get('name', '?')}”")
        (path / "alertmanager.yml").write_text(json.dumps(config(files), ensure_ascii=False), encoding="utf-8")
        done = _run(amtool, path, "check-config", "alertmanager.yml")
        if done.returncode == 0:
            yield from _rendered(amtool, path, owners)
            return
        said = next(iter(re.findall(r"FAILED: (.*)", done.stdout + done.stderr)), done.stderr).strip()
        if _GRAFANA_ONLY.search(said):
            return
        owner = next((found for key, found in owners.items() if key in said), None)
        name, where = owner or (roots[0][0] if roots else next(iter(files.alerting)), "routes")
        yield Fault(file=name, where=where, what=f"amtool refuses it: {said}", remedy="correct what it names")


def _run(amtool: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [amtool, *arguments], cwd=folder, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )


def _rendered(amtool: str, folder: Path, owners: dict[str, tuple[str, str]]) -> Faults:
    """Render each template: what it shows of an alert is found only so."""
    for file, (name, where) in owners.items():
        for called in _DEFINED.findall((folder / file).read_text(encoding="utf-8")):
            text = f'{{{{ template "{called}" . }}}}'
            done = _run(
                amtool, folder, "template", "render", "--template.glob=*.tmpl", f"--template.text={text}"
            )
            if done.returncode:
                said = (done.stderr or done.stdout).strip().rpartition("template: ")[2]
                what = f"amtool cannot render “{called}”: {said}"
                yield Fault(file=name, where=where, what=what, remedy="correct what it names")
                return


def config(files: Files) -> Json:
    """Return policies, contact points, mute timings and templates in Alertmanager's words."""
    roots = [root for _, root in files.entries("policies")]
    names = [str(point.get("name")) for _, point in files.entries("contactPoints")]
    names += [] if "grafana-default-email" in names else ["grafana-default-email"]
    mutes = [
        {"name": timing.get("name"), "time_intervals": timing.get("time_intervals")}
        for _, timing in files.entries("muteTimes")
    ]
    found: Json = {
        "route": _route(roots[0]) if roots else {"receiver": names[0]},
        "receivers": [{"name": name} for name in names],
        "templates": ["*.tmpl"],
    }
    return found | ({"time_intervals": mutes} if mutes else {})


def _route(policy: Json) -> Json:
    route: dict[str, Any] = {key: policy[key] for key in (*_SHARED, *_INTERVALS) if key in policy}
    if found := list(matchers(policy)):
        route["matchers"] = [f"{label}{operator}{json.dumps(value)}" for label, operator, value in found]
    if routes := as_dicts(policy.get("routes")):
        route["routes"] = [_route(child) for child in routes]
    return route
