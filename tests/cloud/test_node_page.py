"""The page behind a node's QR code, on a phone in a real Chromium over the real cloud."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from devices_rig import SERIAL, csr, wanted
from playwright.async_api import Browser
from wall_rig import TOKEN, City, Wall, now_ms

from cloud.ca import Authority

NODE = "water-level-1"
SIGNED_IN = f"sessionStorage.setItem('city.token', '{TOKEN}'); localStorage.setItem('city.officer', 'Wang');"
HERE = {"latitude": 31.275, "longitude": 121.525, "accuracy": 8.0}


class NodePage(Wall):
    """A node's page, on a phone."""

    async def open(self, query: str = f"n/{NODE}") -> None:
        """Open the page and wait until it is live."""
        await super().open(query)

    async def node(self) -> dict[str, Any]:
        """The node as the cloud has it."""
        return await self._get(f"nodes/{NODE}")

    async def device(self) -> dict[str, Any]:
        """The device as the cloud has it."""
        return await self._get(f"nodes/{NODE}/device")

    async def commands(self) -> list[dict[str, Any]]:
        """The node's commands as the cloud has them."""
        return list((await self._get(f"nodes/{NODE}/commands"))["commands"])

    async def _get(self, path: str) -> dict[str, Any]:
        return dict(await self.page.evaluate(f"fetch('/api/v1/{path}').then((answer) => answer.json())"))


@pytest.fixture
async def phone(city: City, browser: Browser, tmp_path: Any) -> AsyncIterator[NodePage]:
    """A small phone whose page must end without a complaint and without having asked another host."""
    Authority.create(tmp_path / "cloud" / "ca", now_ms())
    await city.populate()
    context = await browser.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, locale="en-GB",
        device_scale_factor=2, geolocation=HERE, permissions=["geolocation"],
    )  # fmt: skip
    page = NodePage(await context.new_page(), city)
    yield page
    await context.close()
    assert page.complaints == []
    assert page.hosts <= {urlsplit(city.url).netloc}


async def provisioned(city: City) -> None:
    body = wanted(SERIAL, id=NODE, csr=csr(), lat=None, lon=None)
    await city.send("POST", "/api/v1/provision", json=body)
    await born(city, trial=True)


async def born(city: City, *, trial: bool) -> None:
    births = [
        {
            "node": NODE, "firmware": "1.4.0", "hardware": "esp32", "serial": "246f28aabbcc", "boot": 120_417,
            "trial": trial, "time_ms": now_ms(),
        }
    ]  # fmt: skip
    await city.send("PUT", "/api/v1/gateways/gw-1/report", json={"time_ms": now_ms(), "births": births})


async def test_it_shows_who_the_node_is_and_its_readings_as_they_arrive(city: City, phone: NodePage) -> None:
    await provisioned(city)
    await phone.open()
    await phone.sees("#who h1", "Stage station 1")
    await phone.sees("#who .trial", "new firmware on trial")
    await phone.sees("#device", SERIAL)
    await phone.sees("#device", "1.4.0 · on trial")
    await phone.sees("#device", "120417")
    await city.write(NODE, level_m=4.21)
    await phone.sees("#readings .value", "4.21")
    await phone.sees("#readings h2", "1 arrived")
    await city.write("water-level-2", level_m=9.99)
    await city.write(NODE, level_m=4.22)
    await phone.sees("#readings h2", "2 arrived")  # those of others do not come here
    await born(city, trial=False)  # a reading was acknowledged: the page hears of it by itself
    await phone.page.locator("#who .trial").wait_for(state="detached")
    await phone.page.locator("#device dd", has_text=re.compile("^1.4.0$")).wait_for()


async def test_the_place_is_set_by_a_tap_and_saved_with_the_token_asked_for_once(
    city: City, phone: NodePage
) -> None:
    await phone.open()
    before = await phone.node()
    save = phone.page.locator("#place-save")
    assert await save.is_disabled()
    await phone.page.locator("#map").scroll_into_view_if_needed()
    await phone.page.locator("#map").tap(position={"x": 60, "y": 80})
    await phone.sees("#place-hint", "m from the old one")
    await save.tap()
    await phone.sign_in()
    await phone.sees("#place-said", "Saved")
    after = await phone.node()
    assert after["lat"] > before["lat"] and after["lon"] < before["lon"]
    await phone.page.locator("#note-text").fill("ladder on the east side")
    await phone.page.locator("#note button").tap()  # nobody is asked again
    await phone.sees("#notes li", "ladder on the east side")
    await phone.sees("#notes li", "Wang")
    assert [note["text"] for note in (await phone.device())["notes"]] == ["ladder on the east side"]


async def test_the_phones_own_position_becomes_the_place(city: City, phone: NodePage) -> None:
    await phone.page.add_init_script(SIGNED_IN)
    await phone.open()
    await phone.page.locator("#gps").tap()
    await phone.sees("#place-hint", "±8 m")
    await phone.page.locator("#place-save").tap()
    await phone.sees("#place-said", "Saved")
    after = await phone.node()
    assert (after["lat"], after["lon"]) == (HERE["latitude"], HERE["longitude"])


async def test_a_phone_that_keeps_its_position_to_itself_is_told_what_to_do(
    city: City, phone: NodePage
) -> None:
    await phone.page.context.clear_permissions()
    await phone.open()
    await phone.page.locator("#gps").tap()
    await phone.sees("#place-said", "tap the map")


async def test_the_node_is_asked_to_blink_and_its_reply_is_shown(city: City, phone: NodePage) -> None:
    await phone.page.add_init_script(SIGNED_IN)
    await phone.open()
    await phone.page.get_by_role("button", name="Identify").tap()
    await phone.sees("#orders li", "waits for node")
    (command,) = await phone.commands()
    assert (command["name"], command["args"], command["who"]) == ("identify", {"seconds": 30}, "Wang")
    reply = {"node": NODE, "id": command["id"], "status": 0, "detail": None, "time_ms": now_ms()}
    await city.send("PUT", "/api/v1/gateways/gw-1/report", json={"time_ms": now_ms(), "replies": [reply]})
    await phone.sees("#orders li", "done")


async def test_a_lost_cloud_is_said_and_what_was_typed_stays(city: City, phone: NodePage) -> None:
    await phone.page.add_init_script(SIGNED_IN)
    await phone.open()
    await phone.page.locator("#note-text").fill("typed in the rain")
    await city.stop()
    await phone.sees("#banner", "Connection lost")
    await phone.page.locator("#note button").tap()
    await phone.sees("#note-said", "cannot be reached")
    assert await phone.page.locator("#note-text").input_value() == "typed in the rain"
    await city.start()
    await phone.until("document.documentElement.dataset.link === 'open'")
    phone.complaints.clear()  # the browser's own, of the cloud that was away


async def test_a_node_that_is_not_there_is_said_with_what_to_do(city: City, phone: NodePage) -> None:
    await phone.page.goto(f"{city.url}/n/nobody-1")
    await phone.sees("#veil", "nobody-1")
    await phone.sees("#veil", "cityneuron node provision")
    assert all("404" in complaint for complaint in phone.complaints)
    phone.complaints.clear()


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_it_fits_a_narrow_phone_in_both_languages_with_targets_for_thumbs(
    city: City, phone: NodePage, language: str
) -> None:
    await provisioned(city)
    await phone.open(f"n/{NODE}#lang={language}")
    await phone.sees("#orders h2", {"en": "On the spot", "zh": "现场操作"}[language])
    assert await phone.page.evaluate("document.documentElement.scrollWidth") == 360
    sizes = await phone.sizes("button, a")
    assert sizes and all(min(width, height) >= 44 for _, width, height in sizes), sizes


async def test_only_this_page_may_ask_where_the_phone_is(client: Any) -> None:
    page, wall = await client.ask("GET", f"/n/{NODE}"), await client.ask("GET", "/")
    assert "geolocation=(self)" in page.headers["Permissions-Policy"]
    assert "geolocation=()" in wall.headers["Permissions-Policy"]
    assert page.headers["Content-Security-Policy"] == wall.headers["Content-Security-Policy"]
    assert (await client.ask("GET", "/n/No_Node")).status == 400
