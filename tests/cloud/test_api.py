"""The HTTP API, over a real server: what is asked, what is answered, and what is refused with which advice."""

from __future__ import annotations

import base64
import gzip
import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from yarl import URL

from cloud.services import epoch_ms
from edge.model.kinds import KINDS

STAGE: dict[str, object] = {
    "id": "water-1", "kind": "water_level", "label": {"en": "Dinghai Bridge", "zh": "定海桥"},
    "site": "dinghai", "district": "yangpu", "lat": 31.27, "lon": 121.55, "gateway": "gw-1",
}  # fmt: skip
COUNTS = {"produced": 9, "stored": 5, "queued": 1, "dropped": 1, "quarantined": 1, "missing": 1}


BENT = {
    "name": {"en": "Yangpu", "zh": "杨浦"}, "center": [31.27, 121.52], "zoom": 14,
    "features": {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "LineString", "coordinates": [[121.5, 31.2], ["east", 31.3]]},
                "properties": {"layer": "river"},
            }
        ],
    },
}  # fmt: skip


async def test_health_tells_which_cloud_this_is_and_whether_its_store_answers(client: Any) -> None:
    health = await client.get("/api/v1/health")
    assert health["status"] == "ok"
    assert health["store"] == {"kind": "embedded", "ok": True}
    assert health["timezone"] == "Asia/Shanghai"
    assert abs(health["time_ms"] - epoch_ms()) < 10_000
    await client.register(STAGE)
    assert (await client.get("/api/v1/health"))["registered"] == 1


async def test_the_catalogue_is_served_whole(client: Any) -> None:
    told = await client.get("/api/v1/kinds")
    assert [kind["name"] for kind in told["kinds"]] == list(KINDS)
    for kind in told["kinds"]:
        assert [quantity["name"] for quantity in kind["quantities"]] == list(KINDS[kind["name"]].quantities)
    systems = {system["name"] for system in told["systems"]}
    assert {kind["system"] for kind in told["kinds"]} <= systems


async def test_a_registered_node_is_silent_until_it_is_heard(client: Any) -> None:
    await client.register(STAGE)
    told = await client.get("/api/v1/nodes/water-1")
    assert told == {**STAGE, "state": "silent", "time_ms": None, "trial": False}
    now_ms = epoch_ms()
    await client.write(f"water_level,node=water-1 level_m=1.5 {now_ms}")
    told = await client.get("/api/v1/nodes/water-1")
    assert (told["state"], told["time_ms"]) == ("ok", now_ms)
    await client.write(f"water_level,node=water-1 level_m=1.5,battery_v_qc=4i {now_ms + 1}")
    assert (await client.get("/api/v1/nodes", kind="water_level"))["nodes"][0]["state"] == "suspect"
    assert (await client.get("/api/v1/nodes", kind="noise"))["nodes"] == []


async def test_registering_again_corrects_and_says_how_many_changed(client: Any) -> None:
    await client.register(STAGE)
    answer = await client.ask("POST", "/api/v1/nodes", json={"nodes": [STAGE, {**STAGE, "id": "water-2"}]})
    assert answer.json == {"changed": 1, "registered": 2}
    await client.register({**STAGE, "district": "hongkou", "lat": None})
    told = await client.get("/api/v1/nodes/water-1")
    assert (told["district"], told["lat"]) == ("hongkou", None)


async def test_one_wrong_node_keeps_all_of_them_out(client: Any) -> None:
    answer = await client.ask(
        "POST", "/api/v1/nodes", json={"nodes": [STAGE, {**STAGE, "id": "water-2", "lat": 99}]}
    )
    assert answer.status == 400
    assert answer.json["error"]["message"] == "body.nodes[1].lat is 99"
    assert (await client.get("/api/v1/nodes"))["nodes"] == []


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "message"),
    [
        ("GET", "/api/v1/nodes?kind=dragon", {}, 400, "kind"),
        ("GET", "/api/v1/nodes?colour=red", {}, 400, "colour"),
        ("GET", "/api/v1/nodes/water-9", {}, 404, "water-9"),
        ("GET", "/api/v1/nodes/X", {}, 400, "not well formed|too short"),
        ("GET", "/api/v1/latest?node=water-9", {}, 404, "not registered"),
        ("GET", "/api/v1/readings?node=water-1", {}, 400, "quantity"),
        ("GET", "/api/v1/readings?node=water-1&quantity=phh", {}, 400, "not in the catalogue"),
        ("GET", "/api/v1/readings?node=water-1&quantity=level_m&start=5&end=5", {}, 400, "before"),
        ("GET", "/api/v1/readings?node=water-1&quantity=level_m&start=tomorrow", {}, 400, "start"),
        ("GET", "/api/v1/readings?node=water-1&quantity=level_m&start=2026-02-30", {}, 400, "start"),
        ("GET", "/api/v1/readings?node=water-1&quantity=level_m&aggregate=max", {}, 400, "step_s"),
        ("GET", "/api/v1/readings?node=water-1&quantity=level_m&step_s=0", {}, 400, "step_s"),
        (
            "GET",
            "/api/v1/readings?node=water-1&quantity=level_m&step_s=1&start=0&end=999999999",
            {},
            400,
            "windows",
        ),
        ("GET", "/api/v1/readings?node=water-1&node=water-2&quantity=level_m", {}, 400, "twice"),
        ("GET", "/api/v1/summary?kind=water_level&quantity=level_m", {}, 400, "step_s"),
        ("GET", "/api/v1/quarantine?limit=-1", {}, 400, "limit"),
        ("GET", "/api/v9/nodes", {}, 404, "Not Found"),
        ("DELETE", "/api/v1/nodes", {}, 405, "Method Not Allowed"),
        ("POST", "/api/v1/nodes", {"data": b"{"}, 400, "not JSON"),
        ("POST", "/api/v1/nodes", {"data": b"[" * 100_000}, 400, "not JSON"),
        (
            "POST",
            "/api/v1/nodes",
            {"data": b'{"nodes":[{"id":"water-1","kind":"noise","lat":NaN}]}'},
            400,
            "NaN",
        ),
        ("POST", "/api/v1/nodes", {"json": {"nodes": [{"id": "water-1"}]}}, 400, r"nodes\[0\].kind is missing"),
        ("POST", "/api/v1/nodes", {"json": {"nodes": [{"id": "../x", "kind": "noise"}]}}, 400, "id"),
        ("PUT", "/api/v1/map", {"json": {"zoom": 3}}, 400, "missing"),
        (
            "PUT",
            "/api/v1/map",
            {"json": BENT},
            400,
            r"features\[0\].geometry.coordinates\[1\]\[0\] must be number",
        ),
        (
            "POST",
            "/api/v1/nodes",
            {"data": b'{"nodes":[{"id":"water-1","kind":"noise","site":"\\ud800"}]}'},
            400,
            "JSON",
        ),
        ("PUT", "/api/v1/gateways/gw-1/report", {"json": {"time_ms": "now"}}, 400, "time_ms must be integer"),
    ],
)
async def test_a_wrong_request_is_told_the_place_and_a_remedy(
    client: Any, method: str, path: str, options: dict[str, Any], status: int, message: str
) -> None:
    await client.register(STAGE)
    answer = await client.ask(method, path, **options)
    assert answer.status == status, answer.text
    assert re.search(message, answer.json["error"]["message"])
    assert answer.json["error"]["remedy"]


@pytest.mark.parametrize("path", ["/api/v1/nodes", "/api/v2/write", "/write"])
@pytest.mark.parametrize(
    "header",
    [
        None,
        "Token wrong",
        "Token",
        "Bearer ",
        "a-test-token",
        "Basic !!!",
        "Basic dTp3cm9uZw==",
        "Token a-test-token\xff",
    ],
)
async def test_writing_needs_the_token(client: Any, path: str, header: str | None) -> None:
    answer = await client.ask("POST", path, headers={"Authorization": header} if header else {}, data=b"{}")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Token"


async def test_the_token_may_come_as_token_bearer_or_password(client: Any) -> None:
    password = base64.b64encode(b"gateway:a-test-token").decode()
    for header in ("Token a-test-token", "Bearer a-test-token", "token a-test-token", f"Basic {password}"):
        answer = await client.ask("POST", "/write?db=city", headers={"Authorization": header}, data=b"m f=1")
        assert answer.status == 204, header


async def test_readings_come_as_json_and_csv_raw_and_in_windows(client: Any) -> None:
    await client.register(STAGE)
    start = datetime(2026, 6, 1, tzinfo=ZoneInfo("Asia/Shanghai"))
    start_ms = int(start.timestamp() * 1_000)
    await client.write(
        "\n".join(f"water_level,node=water-1 level_m={n} {start_ms + n * 60_000}" for n in range(4))
    )
    asked = {"node": "water-1", "quantity": "level_m", "start": start_ms, "end": start_ms + 180_000}
    told = await client.get("/api/v1/readings", **asked)
    rows = [[start_ms, 0.0], [start_ms + 60_000, 1.0], [start_ms + 120_000, 2.0]]
    about = {"node": "water-1", "quantity": "level_m", "unit": "m", "step_s": None, "aggregate": None}
    about["level"] = "raw"
    assert told == {**about, "readings": rows}
    same = {
        **asked,
        "start": start.isoformat(),
        "end": (start + timedelta(minutes=3)).replace(tzinfo=None).isoformat(),
    }
    assert (await client.get("/api/v1/readings", **same))["readings"] == rows
    told = await client.get("/api/v1/readings", **asked, step_s=120)
    assert (told["aggregate"], told["readings"]) == ("mean", [[start_ms, 0.5], [start_ms + 120_000, 2.0]])
    answer = await client.ask("GET", "/api/v1/readings", params={**asked, "format": "csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.text.splitlines()[:2] == [
        "time_ms,time,level_m",
        f"{start_ms},2026-06-01T00:00:00.000+08:00,0.0",
    ]
    told = await client.get(
        "/api/v1/summary",
        kind="water_level",
        quantity="level_m",
        step_s=3600,
        aggregate="max",
        start=start_ms,
        end=start_ms + 9**7,
    )
    assert (told["kind"], told["readings"]) == ("water_level", [[start_ms, 3.0]])


async def test_a_quantity_has_its_own_way_to_be_averaged(client: Any) -> None:
    await client.register({"id": "noise-1", "kind": "noise"}, {"id": "rain-1", "kind": "rain_gauge"})
    await client.write("noise,node=noise-1 noise_laeq_db=50 1000\nnoise,node=noise-1 noise_laeq_db=70 2000")
    await client.write("rain_gauge,node=rain-1 rain_mm=0.2 1000\nrain_gauge,node=rain-1 rain_mm=0.3 2000")
    span = {"start": 0, "end": 3_600_000, "step_s": 3_600}
    noise = await client.get("/api/v1/readings", node="noise-1", quantity="noise_laeq_db", **span)
    assert (noise["aggregate"], noise["readings"]) == ("mean", [[0, pytest.approx(67.0329, abs=1e-4)]])
    rain = await client.get("/api/v1/readings", node="rain-1", quantity="rain_mm", **span)
    assert (rain["aggregate"], rain["readings"]) == ("sum", [[0, pytest.approx(0.5)]])


async def test_the_latest_readings_show_what_was_rejected(client: Any) -> None:
    await client.register(STAGE)
    await client.write("water_level,node=water-1 level_m_rejected=-9999,level_m_qc=4i,battery_v=3.7 5000")
    told = await client.get("/api/v1/latest", node="water-1")
    assert told["latest"] == [
        {
            "node": "water-1", "time_ms": 5000, "values": {"battery_v": 3.7}, "qc": {"level_m": 4},
            "rejected": {"level_m": -9999.0},
        }
    ]  # fmt: skip
    assert (await client.get("/api/v1/latest", kind="water_level"))["latest"] == told["latest"]
    assert (await client.get("/api/v1/latest", kind="noise"))["latest"] == []
    rejected = await client.get(
        "/api/v1/readings", node="water-1", quantity="level_m_rejected", start=0, end=9000
    )
    assert (rejected["unit"], rejected["readings"]) == ("m", [[5000, -9999.0]])


async def test_a_bad_line_keeps_the_whole_batch_out_and_is_named(client: Any) -> None:
    await client.register(STAGE)
    body = b"water_level,node=water-1 level_m=1 1000\nwater_level,node=water-1 level_m=one 2000"
    answer = await client.ask("POST", "/api/v2/write?precision=ms", data=body)
    assert answer.status == 400
    assert answer.json["code"] == "invalid"
    assert answer.json["message"].startswith("line 2, column 34: ")
    assert (await client.get("/api/v1/latest"))["latest"] == []


async def test_a_field_of_another_type_is_unprocessable_as_in_influxdb(client: Any) -> None:
    await client.write("water_level,node=water-1 level_m=1 1000")
    answer = await client.ask(
        "POST", "/api/v2/write?precision=ms", data=b"water_level,node=water-1 level_m=1i 2000"
    )
    assert answer.status == 422
    assert "level_m" in answer.json["message"]


async def test_gzip_is_taken_and_broken_gzip_is_refused(client: Any) -> None:
    lines = "\n".join(f"water_level,node=water-1 level_m=1 {n}" for n in range(5_000)).encode()
    packed = {"Content-Encoding": "gzip", "Authorization": "Token a-test-token"}
    answer = await client.ask("POST", "/api/v2/write", data=gzip.compress(lines), headers=packed)
    assert answer.status == 204
    answer = await client.ask("POST", "/api/v2/write", data=b"not gzip at all", headers=packed)
    assert answer.status == 400
    assert await client.cloud.services.store.check()


async def test_a_body_that_is_too_large_is_refused_even_when_packed(client: Any) -> None:
    packed = {"Content-Encoding": "gzip", "Authorization": "Token a-test-token"}
    bomb = gzip.compress(b" " * (33 * 1024 * 1024))
    answer = await client.ask("POST", "/api/v2/write", data=bomb, headers=packed)
    assert answer.status == 413


async def test_a_point_without_time_gets_that_of_its_arrival(client: Any) -> None:
    before_ms = epoch_ms()
    await client.write("water_level,node=water-1 level_m=1")
    (reading,) = (await client.get("/api/v1/latest"))["latest"]
    assert before_ms <= reading["time_ms"] <= epoch_ms()


async def test_a_report_becomes_ledger_quarantine_and_health(client: Any) -> None:
    entry = {
        "gateway": "gw-1", "id": 7, "time_ms": 50, "node": "water-1", "reason": "syntax", "detail": "no CBOR",
        "topic": "cn/v1/water-1/data", "payload_base64": base64.b64encode(b"\x00\xff").decode(), "readings": 0,
    }  # fmt: skip
    now_ms = epoch_ms()
    report = {
        "time_ms": now_ms,
        "ledger": {"total": COUNTS, "nodes": [{"node": "water-1", **COUNTS}]},
        "quarantine": [entry],
        "health": {"queue_blocks": 3, "oldest_s": 1.5, "connected": True, "reasons": {"missing_restarted": 2}},
    }
    for gateway in ("gw-1", "gw-1", "gw-2"):
        answer = await client.ask("PUT", f"/api/v1/gateways/{gateway}/report", json=report)
        assert answer.status == 200, answer.text
    ledger = await client.get("/api/v1/ledger")
    doubled = {name: 2 * count for name, count in COUNTS.items()}
    assert ledger["total"] == doubled
    assert ledger["nodes"] == [{"node": "water-1", **doubled}]
    assert ledger["reasons"] == {"missing_restarted": 4}
    assert ledger["gateways"][0] == {
        "gateway": "gw-1", "time_ms": now_ms, "total": COUNTS, "reasons": {"missing_restarted": 2},
    }  # fmt: skip
    told = await client.get("/api/v1/quarantine", limit=1, node="water-1")
    assert told == {"total": 2, "entries": [{**entry, "gateway": "gw-2"}]}
    gateways = (await client.get("/api/v1/gateways"))["gateways"]
    assert gateways[0] == {"gateway": "gw-1", "time_ms": now_ms, "state": "ok", "health": report["health"]}


async def test_a_gateway_is_told_its_nodes_only_when_they_changed(client: Any) -> None:
    everyone = {"id": "noise-1", "kind": "noise"}
    await client.register(STAGE, everyone, {**STAGE, "id": "water-2", "gateway": "gw-2"})
    answer = await client.ask("GET", "/api/v1/gateways/gw-1/nodes")
    assert [node["id"] for node in answer.json["nodes"]] == ["noise-1", "water-1"]
    assert answer.json["nodes"][1] == STAGE
    known = {"If-None-Match": answer.headers["ETag"]}
    assert (await client.ask("GET", "/api/v1/gateways/gw-1/nodes", headers=known)).status == 304
    await client.register({**STAGE, "id": "water-3"})
    assert (await client.ask("GET", "/api/v1/gateways/gw-1/nodes", headers=known)).status == 200


async def test_the_map_is_replaced_and_told(client: Any) -> None:
    assert (await client.get("/api/v1/map"))["features"]["features"] == []
    river = {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [[121.5, 31.2], [121.6, 31.3]]},
        "properties": {"layer": "river", "name": {"en": "Huangpu", "zh": "黄浦江"}},
    }
    content = {
        "name": {"en": "Yangpu", "zh": "杨浦"}, "center": [31.27, 121.52], "zoom": 14,
        "features": {"type": "FeatureCollection", "features": [river]},
    }  # fmt: skip
    assert (await client.ask("PUT", "/api/v1/map", json=content)).json == {"features": 1}
    assert await client.get("/api/v1/map") == content


async def test_every_answer_keeps_browsers_in_bounds(client: Any) -> None:
    for path in ("/api/v1/nodes", "/nowhere", "/api/v1/nodes?x=1", "/", "/static/nothing.js"):
        answer = await client.ask("GET", path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"], path


@pytest.mark.parametrize(
    "path", ["../index.html", "..%2f..%2fapp.py", "%2e%2e/%2e%2e/app.py", "/etc/passwd", "a%00b"]
)
async def test_no_path_leads_out_of_the_walls_files(client: Any, path: str) -> None:
    url = URL(f"{client.cloud.url}/static/{path}", encoded=True)
    async with client.session.get(url) as reply:
        assert reply.status in (400, 404)


async def test_a_level_can_be_asked_for_and_long_ranges_find_theirs(client: Any) -> None:
    await client.register({"id": "water-1", "kind": "water_level"})
    roller = client.cloud.services.roller
    await roller.tick()
    await client.write(f"water_level,node=water-1 level_m=1 {epoch_ms() - 5 * 3_600_000}")
    roller._until_ms -= 24 * 3_600_000  # as if it had not looked today
    await roller.tick()
    asked = {"node": "water-1", "quantity": "level_m"}
    told = await client.get("/api/v1/readings", **asked, level="hours")
    assert (told["level"], told["step_s"], told["aggregate"]) == ("hours", 3_600, "mean")
    assert [value for _, value in told["readings"]] == [1.0]
    long = {**asked, "start": epoch_ms() - 30 * 86_400_000}
    assert (await client.get("/api/v1/readings", **long, step_s=3_600))["level"] == "hours"
    assert (await client.get("/api/v1/readings", **long, step_s=3_600, level="raw"))["level"] == "raw"
    assert (await client.get("/api/v1/readings", **long, step_s=900))["level"] == "raw"
    refused = await client.ask("GET", "/api/v1/readings", params={**asked, "level": "days", "step_s": "3600"})
    assert (refused.status, "step_s" in refused.text) == (400, True)
