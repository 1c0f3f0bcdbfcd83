"""A running Grafana, as push, diff and smoke need it: grafana-client underneath, our errors on top."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from dashboards.build import DashboardError

Json = dict[str, Any]

TIMEOUT_S = 30.0

_ADVICE = {
    401: "is the token right, and not expired?",
    403: "the token may not do that: a service account with the Editor role may, for alerting Admin",
    404: "is the address that of Grafana, with its path if it has one?",
    412: "somebody saved at the same moment: run it again",
}


class Grafana:
    """One Grafana and one service account's token."""

    def __init__(self, url: str, token: str) -> None:
        """Raises DashboardError without a token, or where grafana-client is not installed."""
        if not token:
            raise DashboardError("no Grafana token", remedy="set GRAFANA_TOKEN to a service account token")
        try:
            from grafana_client.api import GrafanaApi
        except ImportError as error:
            raise DashboardError(
                f"{error.name} is not installed", remedy="pip install 'cityneuron[dashboards]', or make setup"
            ) from None
        self.url = url.rstrip("/")
        self._client: Any = GrafanaApi.from_url(url, credential=token, timeout=TIMEOUT_S).client

    def get(self, *path: str, **params: str | int) -> Any:
        """GET; None where there is nothing of that name (404)."""
        return self._ask("GET", path, params=params or None, absent_is_none=True)

    def post(self, *path: str, body: Json) -> Any:
        """POST what is new, or a question."""
        return self._ask("POST", path, json=body)

    def put(self, *path: str, body: Json) -> Any:
        """PUT what replaces."""
        return self._ask("PUT", path, json=body)

    def delete(self, *path: str) -> Any:
        """DELETE what is there."""
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: tuple[str, ...], *, absent_is_none: bool = False, **options: Any) -> Any:
        from grafana_client.client import GrafanaException

        where = "/" + "/".join(quote(part, safe="") for part in path)
        try:
            reply = getattr(self._client, method)(where, **options)
        except GrafanaException as error:
            status = int(error.status_code or 0)
            if status == 404 and absent_is_none:
                return None
            if not status:  # it was not heard of in time
                raise self._silent(error.message or f"nothing within {TIMEOUT_S:g} s") from error
            raise DashboardError(
                f"Grafana at {self.url} refused {method} /api{where}: {status} {_message(error)}",
                remedy=_ADVICE.get(status, "the message says what Grafana wants; its log says more"),
            ) from error
        except (OSError, ValueError) as error:
            raise self._silent(error) from error
        if isinstance(reply, str):
            raise self._silent("a page for people came back")
        return reply

    def _silent(self, why: object) -> DashboardError:
        return DashboardError(
            f"Grafana at {self.url} does not answer: {why}", remedy="check the address, and that it runs"
        )


def _message(error: Any) -> str:
    """Grafana's own words, or those of the store behind it (/api/ds/query)."""
    said = error.response if isinstance(error.response, dict) else {}
    results = said.get("results")
    of_store = [str(found["error"]) for found in results.values() if found.get("error")] if results else []
    return "; ".join(of_store) or str(said.get("message") or error.message)
