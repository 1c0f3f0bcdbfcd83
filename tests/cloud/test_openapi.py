"""The OpenAPI document: complete, and kept by the running API, which schemathesis tries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread
from typing import Any
from unittest.mock import patch

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from cloud.api import API_ROUTES
from cloud.api.openapi import document
from cloud.app import Cloud
from cloud.ca import Authority
from cloud.config import CloudConfig
from cloud.services import epoch_ms

TOKEN = "a-test-token"
ENDLESS = "/api/v1/live"
# What the schema of one parameter cannot say: start lies before end, a kind has only some quantities,
# a text is line protocol, a file is there, a day is in the calendar, a request for a certificate is signed,
# lat comes with lon, bytes are a bundle, rings grow, a command has arguments of its own.
MORE_THAN_SYNTAX = {
    "/api/v1/readings", "/api/v1/summary", "/api/v1/alerts", "/api/v1/maintenance", "/api/v2/write", "/write",
    "/static/{path}", "/api/v1/provision", "/api/v1/nodes/{id}", "/api/v1/firmware", "/api/v1/rollouts",
    "/api/v1/nodes/{id}/replace", "/api/v1/nodes/{id}/commands",
}  # fmt: skip
DOCUMENT = document(API_ROUTES)
schema = schemathesis.openapi.from_dict(DOCUMENT).exclude(path=ENDLESS)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cloud that runs in a thread of its own: schemathesis blocks."""
    config = CloudConfig(port=0, data_dir=tmp_path_factory.mktemp("cloud"), token=TOKEN)
    Authority.create(config.authority_folder, epoch_ms())
    loop = asyncio.new_event_loop()
    cloud, started = Cloud(config), asyncio.Event()
    serving = loop.create_task(cloud.run(started))

    def serve() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(serving)

    thread = Thread(target=serve)
    thread.start()
    asyncio.run_coroutine_threadsafe(started.wait(), loop).result(20)
    # grafana-client brings urllib3-future in place of urllib3; its connections cannot be counted
    with patch("schemathesis.transport.requests._count_opened_connections", return_value=0):
        yield cloud.url
    loop.call_soon_threadsafe(serving.cancel)
    thread.join(20)
    loop.close()


def _kept(operation_id: str) -> Callable[..., None]:
    """Return a test that one operation keeps what the document says of it."""

    @schema.include(operation_id=operation_id).parametrize()
    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def keeps(case: Any, address: str) -> None:
        excluded = [positive_data_acceptance] if case.operation.path in MORE_THAN_SYNTAX else []
        case.call_and_validate(
            base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}, excluded_checks=excluded, timeout=30
        )

    return keeps


# A function each: all that schemathesis makes of one has the same id, of which pytest-xdist would run one only.
for _operation in (row for path, rows in DOCUMENT["paths"].items() if path != ENDLESS for row in rows.values()):
    globals()[f"test_{_operation['operationId']}_keeps_its_document"] = _kept(_operation["operationId"])


async def test_the_document_is_served_and_names_every_route(client: Any) -> None:
    served = await client.get("/openapi.json")
    assert served == DOCUMENT
    named = {(method.upper(), path) for path, row in served["paths"].items() for method in row}
    assert named == {(route.method, route.path) for route in API_ROUTES}
    for path in (
        "health", "kinds", "map", "nodes", "nodes/{id}", "latest", "readings", "summary", "ledger",
        "quarantine", "gateways", "gateways/{id}/report", "gateways/{id}/nodes", "live",
        "gateways/{id}/episodes", "alerts", "alerts/{id}", "maintenance", "maintenance/{id}",
        "provision", "nodes/{id}/replace", "nodes/{id}/device", "nodes/{id}/notes", "nodes/{id}/steps",
        "nodes/{id}/commands", "commands/{id}", "firmware", "rollouts", "rollouts/{id}", "rollouts/{id}/stop",
        "rollouts/{id}/resume",
        *(f"alerts/{{id}}/{action}" for action in ("acknowledge", "assign", "comment", "mute", "close")),
    ):  # fmt: skip
        assert f"/api/v1/{path}" in served["paths"]


def test_whatever_changes_something_asks_for_the_token() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            assert ("security" in operation) == (method != "get"), (method, path)


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [row["operationId"] for path in DOCUMENT["paths"].values() for row in path.values()]
    assert len(names) == len(set(names))


def test_every_operation_says_what_it_is_for() -> None:
    assert all(route.summary for route in API_ROUTES)
