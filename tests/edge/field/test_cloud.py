"""The cloud's answers and refusals, as the engineer hears them."""

from __future__ import annotations

import pytest
from aiohttp import web
from field_rig import SERIAL, CloudStandIn

from edge.field.cloud import CloudApi
from edge.field.diagnosis import FieldError, Symptom
from edge.field.identity import KeyRing, join, request


async def test_a_device_becomes_a_node_and_stays_the_same_one(
    api: CloudApi, cloud: CloudStandIn, tmp_path
) -> None:  # type: ignore[no-untyped-def]
    key = KeyRing(tmp_path).key(SERIAL)
    body = {"serial": SERIAL, "kind": "weather", "csr": request(key, "x"), "who": "wang"}
    told = [await api.provision(body) for _ in range(2)]
    assert {row.node["id"] for row in told} == {"cn-a1b2c4"}
    assert (told[0].broker_host, told[0].broker_port, told[0].ntp_hosts) == ("broker.city", 8883, ("ntp.city",))
    assert join("cn-a1b2c4", key, told[1].certificate, told[1].ca).node == "cn-a1b2c4"


async def test_a_cloud_that_is_away_is_told_with_the_way_to_work_without_it() -> None:
    async with CloudApi("http://127.0.0.1:9", "") as api:
        with pytest.raises(FieldError) as caught:
            await api.nodes()
    assert caught.value.symptom is Symptom.CLOUD_AWAY
    assert any("--offline" in remedy for remedy in caught.value.remedies)


async def test_a_wrong_token_and_an_id_that_is_taken_are_told_apart(api: CloudApi, url: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    csr = request(KeyRing(tmp_path).key(SERIAL), "x")
    body = {"serial": SERIAL, "id": "cn-1", "kind": "weather", "csr": csr, "who": "w"}
    async with CloudApi(url, "wrong") as stranger:
        with pytest.raises(FieldError) as caught:
            await stranger.provision(body)
    assert caught.value.symptom is Symptom.TOKEN_REFUSED
    await api.provision(body)
    with pytest.raises(FieldError) as caught:
        await api.provision(body | {"serial": "ffffffffffff"})
    assert caught.value.symptom is Symptom.ID_TAKEN
    assert caught.value.cause == f"cn-1 is the device {SERIAL}"


async def test_a_node_without_a_device_has_none(api: CloudApi) -> None:
    assert await api.device("nobody") is None
    assert await api.latest("nobody") is None
    with pytest.raises(FieldError, match="knows no node nobody"):
        await api.node("nobody")


async def test_an_answer_that_is_not_the_clouds_is_not_taken_for_one() -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>login</html>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with CloudApi(f"http://127.0.0.1:{runner.addresses[0][1]}", "") as api:
            with pytest.raises(FieldError, match="no JSON"):
                await api.nodes()
    finally:
        await runner.cleanup()
