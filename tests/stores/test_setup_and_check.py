"""`cityneuron store setup` makes what a city needs, once; `store check` says what is wrong, and what to do."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import servers
from aiohttp import web
from stores_peers.admin import Admin2, Admin3
from stores_peers.contract import TOKEN, InfluxDB2, InfluxDB3
from stores_peers.place import embedded, serve
from typer.testing import CliRunner

import cityneuron
from cloud.errors import StoreUnavailable
from cloud.stores.admin import setup_v1, setup_v2, setup_v3
from cloud.stores.admin.check import check_store
from cloud.stores.admin.plan import PEOPLE, Plan
from cloud.stores.admin.target import Target, target_of
from edge.model.errors import ConfigError

pytestmark = pytest.mark.real


def plan_of(url: str, folder: Path, **changes: Any) -> Plan:
    return Plan(url=url, folder=folder / "secrets", keep_days=(30.0, 400.0, 0.0), **changes)


async def look(target: Target, now_s: float | None = None) -> dict[str, tuple[str, str, str]]:
    """Return what the check says, by step: verdict, words, remedy."""
    found = await check_store(target, time.time() if now_s is None else now_s)
    return {each.step: (each.verdict.value, each.said, each.remedy) for each in found}


def secret(plan: Plan, name: str) -> str:
    found = plan.secret_of(name)
    assert found and plan.file_of(name).stat().st_mode & 0o777 == 0o600
    return found


@pytest.fixture
def closed_influxdb(tmp_path: Path) -> Any:
    """An InfluxDB 1.x that asks everybody who he is."""
    server = servers.InfluxDB(tmp_path / "closed", password="open sesame")
    server.start()
    yield server
    server.kill()


async def test_1_x_gets_databases_with_their_retention_and_users_with_just_their_rights(
    closed_influxdb: servers.InfluxDB, tmp_path: Path
) -> None:
    plan = plan_of(closed_influxdb.url, tmp_path, admin_secret="open sesame")
    said = await setup_v1.set_up(plan)
    assert "database city: changed, readings are kept for 30 days" in said
    assert "database city_days: made, readings are kept for ever" in said
    (policy,) = closed_influxdb.rows('SHOW RETENTION POLICIES ON "city_hours"')
    assert policy["duration"] == "9600h0m0s"
    rights = {
        person.name: {
            row["database"]: row["privilege"] for row in closed_influxdb.rows(f"SHOW GRANTS FOR {person.name}")
        }
        for person in PEOPLE
    }
    assert rights["gateway"] == {"city": "WRITE"}
    assert set(rights["cloud"].values()) == {"ALL PRIVILEGES"} and len(rights["cloud"]) == 3
    assert set(rights["grafana"].values()) == {"READ"}
    again = await setup_v1.set_up(plan)
    assert [line for line in again if "made" in line or "changed" in line] == []
    gateway = Target(url=plan.url, api="v1", username="gateway", secret=secret(plan, "gateway"), reads=False)
    assert {verdict for verdict, _, _ in (await look(gateway)).values()} == {"ok"}
    cloud = Target(url=plan.url, api="v1", username="cloud", secret=secret(plan, "cloud"), rolls_up=True)
    assert {verdict for verdict, _, _ in (await look(cloud)).values()} == {"ok"}
    reader = Target(url=plan.url, username="grafana", secret=secret(plan, "grafana"))
    found = await look(reader)
    assert found["read"][0] == "ok" and found["retention"][1] == "it keeps readings for 30 days"
    assert found["write"][0] == "trouble" and "right to write" in found["write"][2]


async def test_1_x_without_any_user_gets_its_administrator(tmp_path: Path) -> None:
    server = servers.InfluxDB(tmp_path / "influxdb", password="x")
    try:
        super(servers.InfluxDB, server).start()  # without the user that the fixture makes
        plan = plan_of(server.url, tmp_path)
        said = await setup_v1.set_up(plan)
        assert said[0] == "administrator admin: made"
        server.password = secret(plan, "admin-password")
        assert {row["user"] for row in server.rows("SHOW USERS")} == {"admin", "gateway", "cloud", "grafana"}
        assert await setup_v1.set_up(plan)
    finally:
        server.kill()


async def test_2_x_gets_its_first_account_buckets_mappings_and_tokens(
    influxdb: servers.InfluxDB, tmp_path: Path
) -> None:
    server = Admin2(influxdb)
    async with AsyncExitStack() as stack:
        plan = plan_of(await serve(stack, server.app), tmp_path)
        said = await asyncio.to_thread(setup_v2.set_up, plan)
        assert said[0] == "the first account: admin"
        assert server.buckets == {"city": 30.0, "city_hours": 400.0, "city_days": 0.0}
        assert server.mapped == set(server.buckets)
        assert secret(plan, "admin-token") == server.master
        rights = {
            each["description"]: sorted((p["action"], p["resource"]["id"]) for p in each["permissions"])
            for each in server.authorizations
        }
        assert rights["cityneuron gateway"] == [("write", "id-city")]
        assert rights["cityneuron grafana"] == [("read", f"id-{name}") for name in sorted(server.buckets)]
        assert len(rights["cityneuron cloud"]) == 6
        again = await asyncio.to_thread(setup_v2.set_up, plan)
        assert [line for line in again if "made" in line or "changed" in line] == []
        assert len(server.authorizations) == 3
        server.buckets["city"] = 7.0
        plan.file_of("gateway").unlink()
        said = await asyncio.to_thread(setup_v2.set_up, plan)
        assert "bucket city: changed, readings are kept for 30 days" in said
        assert any("made anew, since its file is gone" in line for line in said)
        target = Target(url=plan.url, api="v2", secret=secret(plan, "admin-token"))
        assert {verdict for verdict, _, _ in (await look(target)).values()} == {"ok"}


async def test_2_x_that_is_set_up_needs_its_administrator(influxdb: servers.InfluxDB, tmp_path: Path) -> None:
    server = Admin2(influxdb)
    server.master = "known to others"
    async with AsyncExitStack() as stack:
        url = await serve(stack, server.app)
        with pytest.raises(StoreUnavailable, match="--admin-secret-file"):
            await asyncio.to_thread(setup_v2.set_up, plan_of(url, tmp_path))
        with pytest.raises(StoreUnavailable, match=r"401: unauthorized access.*administrator's token"):
            await asyncio.to_thread(setup_v2.set_up, plan_of(url, tmp_path, admin_secret="wrong"))


async def test_3_x_gets_its_first_token_databases_and_a_token_for_each(
    influxdb: servers.InfluxDB, tmp_path: Path
) -> None:
    server = Admin3(influxdb)
    async with AsyncExitStack() as stack:
        plan = plan_of(await serve(stack, server.app), tmp_path)
        said = await setup_v3.set_up(plan)
        assert said[0] == "the first token (_admin): made"
        assert server.buckets == {"city": 30.0, "city_hours": 400.0, "city_days": 0.0}
        assert secret(plan, "gateway") == "apiv3_cityneuron-gateway"
        again = await setup_v3.set_up(plan)
        assert all("there already" in line for line in again) and len(again) == 6
        target = Target(url=plan.url, api="v3", secret=secret(plan, "gateway"))
        assert {verdict for verdict, _, _ in (await look(target)).values()} == {"ok"}
        plan.file_of("admin-token").unlink()
        with pytest.raises(StoreUnavailable, match="has a first token already"):
            await setup_v3.set_up(plan)


@pytest.mark.parametrize(
    ("change", "step", "words", "remedy"),
    [
        ({"secret": "wrong"}, "write", "401 to a write: unauthorized access", "check the token"),
        ({"database": "elsewhere"}, "write", 'bucket "elsewhere" not found', "store setup"),
        ({"database": "unmapped"}, "read", "there is no 'unmapped' for InfluxQL; there are: city", "DBRP"),
        ({"rolls_up": True}, "read", "there is no 'city_hours', 'city_days' for InfluxQL", "store setup"),
        ({"api": "v3"}, "kind", 'no api "v3"', 'set api = "v2"'),
        (
            {"retention_days": 0.0},
            "retention",
            "7 days, and the gateway believes for ever",
            "retention_days = 7",
        ),
        ({"retention_days": 30.0}, "retention", "the gateway believes 30 days", "retention_days = 7"),
    ],
)
async def test_what_is_wrong_is_named_with_its_remedy(
    influxdb: servers.InfluxDB, change: dict[str, Any], step: str, words: str, remedy: str
) -> None:
    server = Admin2(influxdb)
    server.buckets, server.mapped, server.master = {"city": 7.0, "unmapped": 0.0}, {"city"}, TOKEN
    server.tokens = {TOKEN}
    async with AsyncExitStack() as stack:
        url = await serve(stack, server.app)
        found = await look(Target(**{"url": url, "secret": TOKEN, **change}))
        assert found[step][0] != "ok" and words in found[step][1] and remedy in found[step][2], found


async def test_a_level_that_is_kept_less_long_than_the_finer_one_is_told(influxdb: servers.InfluxDB) -> None:
    influxdb.query("", "CREATE DATABASE city_hours WITH DURATION 7d")
    influxdb.query("", "CREATE DATABASE city_days")
    verdict, said, remedy = (await look(Target(url=influxdb.url, api="v1", rolls_up=True)))["retention"]
    assert (verdict, said) == ("warning", "it keeps city_hours for 7 days, less long than city")
    assert "--keep-hours-days" in remedy


async def test_nothing_of_a_check_stays_in_the_store(influxdb: servers.InfluxDB) -> None:
    async with AsyncExitStack() as stack:
        for server in (InfluxDB2(influxdb), InfluxDB3(influxdb)):
            found = await look(Target(url=await serve(stack, server.app), secret=TOKEN))
            assert found["write"][0] == "ok"
    assert (await look(Target(url=influxdb.url)))["write"][0] == "ok"
    assert influxdb.rows("SHOW MEASUREMENTS") == []


async def test_servers_are_told_apart(
    influxdb: servers.InfluxDB, victoria_metrics: servers.VictoriaMetrics, tmp_path: Path
) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>", content_type="text/html")

    other = web.Application()
    other.router.add_route("*", "/{path:.*}", page)
    async with AsyncExitStack() as stack:
        elsewhere = await serve(stack, other)
        cloud = await stack.enter_async_context(embedded(tmp_path))
        assert (await look(Target(url=influxdb.url)))["kind"][1].startswith("InfluxDB 1.x, version 1.6.7")
        verdict, said, remedy = (await look(Target(url=victoria_metrics.url, api="v1")))["kind"]
        assert verdict == "warning" and said.startswith("VictoriaMetrics") and "[mirror]" in remedy
        found = await look(Target(url=cloud.url, api="v2", secret=TOKEN))
        assert found["kind"][1].startswith("City Neuron's own store") and found["write"][0] == "ok"
        assert (await look(Target(url=elsewhere)))["kind"][0] == "trouble"
        assert (await look(Target(url=f"http://127.0.0.1:{servers.free_port()}")))["reach"][0] == "trouble"


async def test_a_clock_that_is_off_is_told(influxdb: servers.InfluxDB) -> None:
    verdict, said, _ = (await look(Target(url=influxdb.url), time.time() + 3_600))["clock"]
    assert verdict == "warning" and "behind this machine's" in said


def test_the_store_of_a_configuration_is_found(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "token").chmod(0o600)
    gateway, cloud = tmp_path / "gateway.toml", tmp_path / "cloud.toml"
    gateway.write_text(
        f'[store]\nurl = "http://h:1/"\napi = "v2"\nbucket = "b"\ntoken_file = "{tmp_path / "token"}"\n'
        "[forward]\nretention_days = 9"
    )
    found = target_of(gateway)
    assert (found.url, found.api, found.database) == ("http://h:1", "v2", "b")
    assert (found.secret, found.retention_days) == ("t", 9)
    cloud.write_text('store = "http://u@h:1/?db=d"\ntoken_file = "token"\nstore_token_file = "token"')
    found = target_of(cloud)
    assert (found.url, found.database, found.username, found.secret) == ("http://h:1", "d", "u", "t")
    assert found.rolls_up and found.api == "v1"
    cloud.write_text('token_file = "token"')
    with pytest.raises(ConfigError, match="the cloud's own"):
        target_of(cloud)


def test_on_the_command_line(influxdb: servers.InfluxDB, tmp_path: Path) -> None:
    run = CliRunner().invoke
    folder = str(tmp_path / "secrets")
    command = ["store", "setup", "--url", influxdb.url, "--secrets", folder, "--keep-days", "30"]
    made = run(cityneuron.app, command)
    assert made.exit_code == 0 and "database city: changed, readings are kept for 30 days" in made.output
    checked = run(cityneuron.app, ["store", "check", "--url", influxdb.url, "--json"])
    document = json.loads(checked.output)
    assert checked.exit_code == 0 and document["ok"]
    steps = [each["step"] for each in document["findings"]]
    assert steps == ["reach", "kind", "write", "read", "retention", "clock"]
    wrong = run(cityneuron.app, ["store", "check", "--url", influxdb.url, "--database", "nowhere"])
    assert wrong.exit_code == 1 and "try: make 'nowhere'" in wrong.output
