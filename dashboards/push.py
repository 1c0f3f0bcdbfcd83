"""Boards -> a running Grafana, over its HTTP API."""

from __future__ import annotations

from typing import Any

from dashboards.boards import boards
from dashboards.build import DashboardError

FOLDER_UID = "city-neuron"


def push(url: str, token: str, folder: str) -> list[tuple[str, str]]:
    """Create or replace every board; return their titles and paths. Raises DashboardError."""
    if not token:
        raise DashboardError("no Grafana token", remedy="set GRAFANA_TOKEN to a service account token")
    try:
        from grafana_client.api import GrafanaApi
        from grafana_client.client import GrafanaException
    except ImportError as error:
        raise DashboardError(
            f"{error.name} is not installed", remedy="pip install 'cityneuron[dashboards]', or make setup"
        ) from None
    api = GrafanaApi.from_url(url, credential=token, timeout=30)
    pushed = []
    try:
        if all(found["uid"] != FOLDER_UID for found in api.folder.get_all_folders()):
            api.folder.create_folder(title=folder, uid=FOLDER_UID)
        for board in boards():
            reply: dict[str, Any] = api.dashboard.update_dashboard(
                {"dashboard": board.to_dict(), "folderUid": FOLDER_UID, "overwrite": True}
            )
            pushed.append((board.title, str(reply["url"])))
    except GrafanaException as error:
        raise DashboardError(
            f"Grafana at {url} refused: {error}", remedy="is the token an Editor's, and not expired?"
        ) from error
    except OSError as error:
        raise DashboardError(
            f"Grafana at {url} does not answer: {error}", remedy="check the address, and that it runs"
        ) from error
    return pushed
