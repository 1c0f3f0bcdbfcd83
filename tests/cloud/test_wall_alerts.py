"""Alerts on the wall and on a phone, in a real Chromium over the real cloud: what an officer sees."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from playwright.async_api import Browser, Route
from wall_rig import NODES, City, Wall, episode, now_ms

from edge.model.alert import Level

JS = Path(__file__).parents[2] / "cloud" / "web" / "static" / "js"
CARD, INBOX = "#alerts", "#drawer .alerts"
BLINKS = "selector => getComputedStyle(document.querySelector(selector)).animationName"
FOCUS = "document.activeElement?.closest('[data-id]')?.dataset.id"
PAINTED = """() => {
  const canvas = document.querySelector("#drawer .plot canvas");
  if (!canvas) return 0;
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let painted = 0;
  for (let i = 3; i < data.length; i += 4) painted += data[i] > 40;
  return painted;
}"""
OVERFLOW = """selector => {
  const box = document.querySelector(selector);
  return box.scrollWidth - box.clientWidth;
}"""
PIXEL = """([x, y]) => {
  const canvas = document.querySelector("#map canvas.nodes");
  const box = canvas.getBoundingClientRect();
  const scale = canvas.width / box.width;
  return [...canvas.getContext("2d").getImageData((x - box.left) * scale, (y - box.top) * scale, 1, 1).data];
}"""


async def test_the_card_shows_what_the_api_has_the_most_urgent_first(city: City, wall: Wall) -> None:
    await city.populate()
    await city.tell(
        episode("water-level-1"),
        episode("water-level-2", "red", value=3.92),
        episode("noise-1", "blue", rule="noise", quantity="noise_laeq_db", value=61.2, rate_per_h=None),
    )
    await wall.open()
    assert await wall.places(CARD) == ["Stage station 2", "Stage station 1", "Noise station 1"]
    first = await wall.page.locator(f"{CARD} .alert").first.inner_text()
    for part in ("Red", "3.92 m", "+4 cm/10 min", "30 min"):
        assert part in first, first
    counts = await wall.page.locator("#alerts-head .level b").all_inner_texts()
    assert counts == ["1", "0", "1", "1"]
    assert await wall.page.title() == "(3) City Neuron"
    await wall.sees("#legend li", "Red")


async def test_no_alert_is_said_too_with_the_last_one(city: City, wall: Wall) -> None:
    await city.populate()
    await wall.open()
    await wall.sees(CARD, "No alerts")
    await city.tell(episode("water-level-1", end_ms=now_ms()))
    await wall.sees(CARD, "The last one: Stage station 1")


async def test_an_alert_appears_rises_and_ends_live(city: City, wall: Wall) -> None:
    await city.populate()
    await wall.open()
    first = episode("water-level-3")
    await city.tell(first)
    await wall.sees(f"{CARD} .alert", "Yellow")
    rises = replace(first, revision=2, level=Level.RED, highest=Level.RED, value=4.1)
    await city.tell(rises)
    await wall.sees(f"{CARD} .alert", "Red")
    await wall.sees("#said", "Red Stage station 3")
    await city.tell(replace(rises, revision=3, end_ms=now_ms()))
    await wall.sees(CARD, "No alerts")


async def test_nothing_blinks_but_a_red_alert_that_nobody_has(city: City, wall: Wall) -> None:
    await city.populate()
    await city.tell(episode("water-level-1", "red"), episode("water-level-2", "orange"))
    await wall.open()
    marks = [f'{CARD} .alert[data-level="{level}"] > .mark' for level in ("red", "orange")]
    assert [await wall.page.evaluate(BLINKS, mark) for mark in marks] == ["blink", "none"]
    await wall.page.emulate_media(reduced_motion="reduce")
    assert await wall.page.evaluate(BLINKS, marks[0]) == "none"
    await wall.page.emulate_media(reduced_motion="no-preference")
    red = next(alert for alert in await city.alerts() if alert["level"] == "red")
    await city.send("POST", f"/api/v1/alerts/{red['id']}/acknowledge", json={"who": "Li"})
    await wall.sees(f"{CARD} .standing", "✓ Li")
    assert await wall.page.evaluate(BLINKS, marks[0]) == "none"


async def test_what_late_data_shows_is_marked_and_calls_nobody(city: City, wall: Wall) -> None:
    await city.populate()
    await city.tell(episode("water-level-1", "red", live=False))
    await wall.open()
    await wall.sees(f"{CARD} .late-data", "late data")
    assert await wall.page.evaluate("document.documentElement.dataset.waiting") == "0"
    assert await wall.page.evaluate(BLINKS, f"{CARD} .alert > .mark") == "none"


async def test_the_link_of_a_message_opens_its_alert(city: City, wall: Wall) -> None:
    await city.populate()
    told = episode(
        "water-level-4", "orange", value=3.65, threshold=3.5, peak=3.7, note={"reaches_min": 42, "stage_m": 3.8}
    )
    await city.tell(told)
    (alert,) = await city.alerts()
    await wall.open(f"#alert={alert['id']}")
    await wall.sees("#drawer h2", "Stage station 4")
    await wall.sees("#drawer .headline", "Orange")
    await wall.sees("#drawer .figures", "3.50 m")
    await wall.sees("#drawer .figures", "reaches 3.80 m in 42 min")
    await wall.sees("#drawer .steps", "Opened gw-1")
    await wall.until(f"({PAINTED})() > 2000")
    await wall.page.keyboard.press("Escape")
    await wall.until("document.getElementById('drawer').hidden && !location.hash.includes('alert')")
    await wall.page.goto(f"{city.url}/#alert=flood/water-level-4/{told.start_ms}")  # as its gateway knows it
    await wall.sees("#drawer .headline", "Orange")


async def test_a_link_to_an_alert_that_is_none_says_so(city: City, phone: Wall) -> None:
    await city.populate()
    for link in ("4711", "flood/nowhere-9/17", "nonsense"):
        await phone.open(f"#alert={link}")
        await phone.sees("#drawer h2", f"There is no alert {link}")
        await phone.page.goto("about:blank")


async def test_the_inbox_filters_and_keeps_the_filters_in_the_address(city: City, wall: Wall) -> None:
    await city.populate()
    await city.tell(
        episode("water-level-1", "red"),
        episode("water-level-2", "orange", minutes_ago=50),
        episode("noise-3", "orange", rule="noise", quantity="noise_laeq_db"),
        episode("air-quality-1", minutes_ago=3000, end_ms=now_ms() - 2900 * 60_000),  # older than a day
    )
    await wall.open()
    await wall.page.locator("#alerts-head .whole").click()
    await wall.sees("#drawer .foot", "3 of 3 shown")
    inbox = wall.page.locator("#drawer .filters")
    await inbox.get_by_role("button", name="Orange").click()
    await wall.sees("#drawer .foot", "2 of 2 shown")
    await inbox.locator("select").select_option("environment")
    await wall.sees("#drawer .foot", "1 of 1 shown")
    assert await wall.places(INBOX) == ["Noise station 3"]
    assert "level=orange" in wall.page.url and "system=environment" in wall.page.url
    await wall.page.reload()
    await wall.sees("#drawer .foot", "1 of 1 shown")
    await inbox.locator("input").fill("nowhere")
    await wall.page.get_by_role("button", name="Clear the filters").click()
    await inbox.locator("input").press_sequentially("station 2")
    await wall.until("document.querySelectorAll('#drawer .alerts .alert').length === 1")
    assert await wall.places(INBOX) == ["Stage station 2"]
    await inbox.locator("input").fill("")
    await inbox.get_by_role("button", name="Ended").click()
    await wall.sees(f"{INBOX} .alert", "Air station 1")
    assert await wall.places(INBOX) == ["Air station 1"]


async def test_a_page_that_was_cut_off_reads_the_alerts_again(city: City, phone: Wall) -> None:
    await city.populate()
    await city.tell(episode("water-level-1", "red"))
    await phone.open()
    await city.stop()
    await phone.sees("#banner", "Connection lost")
    await city.start()
    (alert,) = await city.alerts()
    await city.send("POST", f"/api/v1/alerts/{alert['id']}/close", json={"who": "Li"})
    await city.tell(episode("water-level-2"))
    await phone.until("document.documentElement.dataset.link === 'open'")
    await phone.sees(f"{CARD} .alert", "Stage station 2")
    assert await phone.places(CARD) == ["Stage station 2"]


async def test_a_storm_of_five_hundred_alerts_stays_in_bounds(city: City, wall: Wall) -> None:
    await city.populate()
    storm = [
        episode(str(NODES[number % 20]["id"]), ("yellow", "orange")[number % 2], rule=f"rule-{number}")
        for number in range(500)
    ]
    await city.tell(*storm)
    await wall.open()
    assert await wall.page.locator(f"{CARD} .alert").count() == 30
    await wall.sees("#alerts-more", "470 more")
    assert await wall.page.evaluate("document.querySelectorAll('*').length") < 2_500
    await wall.page.locator("#alerts-more").click()
    await wall.sees("#drawer .foot", "50 of 500 shown")
    await wall.page.get_by_role("button", name="Show 50 more").click()
    await wall.sees("#drawer .foot", "100 of 500 shown")
    await city.tell(*(replace(one, revision=2, level=Level.RED, highest=Level.RED) for one in storm))
    await wall.sees("#alerts-head .level b", "500")
    await wall.page.locator("#drawer .filters input").fill("rule-499")
    await wall.sees("#drawer .foot", "1 of 1 shown")
    await wall.page.locator(f"{INBOX} .open").click()
    await wall.sees("#drawer .headline", "Red")


async def test_nodes_wear_the_level_of_their_alert_and_tell_their_history(city: City, wall: Wall) -> None:
    await city.populate()
    past = now_ms() - 5 * 60_000
    await city.tell(
        episode("water-level-2", "red", minutes_ago=10),
        *(episode("water-level-2", minutes_ago=ago, end_ms=past) for ago in (60, 70, 80, 90)),
    )
    await wall.open()
    at = await wall.page.evaluate("id => cityWall.pointOf(id)", "water-level-2")
    await wall.until("document.querySelectorAll('#legend li[data-level]').length === 1")
    red, green, blue, _ = await wall.page.evaluate(PIXEL, [at["x"], at["y"]])
    assert red > 200 > 150 > max(green, blue)
    await wall.click_node("water-level-2")
    await wall.sees("#drawer .of-node .alert", "Red")
    await wall.page.get_by_role("button", name="3 earlier alerts").click()
    assert await wall.page.locator("#drawer .of-node .alert").count() == 5
    await wall.page.locator("#drawer .of-node .open").first.click()
    await wall.sees("#drawer .past", "Earlier at this place")
    assert await wall.page.locator("#drawer .past .alert").count() == 4


async def test_a_bar_of_the_band_opens_its_alert(city: City, wall: Wall) -> None:
    await city.populate()
    await city.tell(episode("water-level-2", "red", minutes_ago=300, end_ms=now_ms() - 3_600_000))
    (alert,) = await city.alerts(state="all")
    await wall.open()
    await wall.until(f"cityWall.barOf({alert['id']})")
    bar = await wall.page.evaluate(f"cityWall.barOf({alert['id']})")
    box = await wall.page.locator("#band").bounding_box()
    assert box is not None
    x, y = box["x"] + (bar["left"] + bar["right"]) / 2, box["y"] + (bar["top"] + bar["bottom"]) / 2
    await wall.page.mouse.move(x, y)
    await wall.sees(".band-text", "Red Stage station 2")
    await wall.page.mouse.click(x, y)
    await wall.sees("#drawer .became", "Over at")


async def test_what_a_cause_explains_is_folded_under_it_and_opened_on_demand(city: City, wall: Wall) -> None:
    await city.populate()
    silent = [episode(f"noise-{number}", rule="silent", quantity="silence_s") for number in (1, 2, 3)]
    await city.tell(episode("gw-07", "orange", rule="gateway_lost", quantity="silence_s", value=1290), *silent)
    root = next(alert["id"] for alert in await city.alerts() if alert["rule"] == "gateway_lost")

    async def fold(route: Route) -> None:
        answer = await route.fetch()
        body = await answer.json()
        for alert in body["alerts"]:
            alert.update({"folded": 212} if alert["id"] == root else {"cause": root})
        await route.fulfill(response=answer, json=body)

    await wall.page.route("**/api/v1/alerts?**", fold)
    await wall.open()
    assert await wall.places(CARD) == ["gw-07"]
    await wall.sees(f"{CARD} .value", "21 min")
    assert await wall.page.evaluate("document.documentElement.dataset.waiting") == "1"
    await wall.page.get_by_role("button", name="212 more from this cause").click()
    await wall.sees(f"{CARD} .alert.sub", "Noise station 2")
    assert await wall.page.locator(f"{CARD} .alert.sub").count() == 3
    await wall.sees(f"{CARD} .more-line", "and 209 more of the same cause")
    await wall.page.locator(f"{CARD} .alert.sub .open").first.click()
    await wall.sees("#drawer .ident", "Part of gw-07")


async def test_the_keyboard_goes_through_the_list_and_back(city: City, wall: Wall) -> None:
    await city.populate()
    await city.tell(episode("water-level-1", "red"), episode("water-level-2", "orange"))
    await wall.open()
    await wall.page.locator("#alerts-head .whole").focus()
    await wall.page.keyboard.press("Tab")
    first = await wall.page.evaluate(FOCUS)
    await wall.page.keyboard.press("ArrowDown")
    second = await wall.page.evaluate(FOCUS)
    assert first != second
    await city.tell(episode("water-level-3"))  # a list that is drawn anew keeps the focus
    await wall.sees(CARD, "Stage station 3")
    assert await wall.page.evaluate(FOCUS) == second
    await wall.page.keyboard.press("Enter")
    await wall.sees("#drawer h2", "Stage station 2")
    assert await wall.page.evaluate("document.activeElement.closest('#drawer') !== null")
    await wall.page.keyboard.press("Escape")
    assert await wall.page.evaluate(FOCUS) == second


async def test_a_full_card_fits_both_walls_and_a_phone_in_both_languages(city: City, browser: Browser) -> None:
    await city.populate()
    await city.tell(*(episode(str(node["id"]), "orange", rule="flood-of-the-lower-river") for node in NODES))
    for language in ("zh-CN", "en-GB"):
        for width, height in ((1920, 1080), (3840, 2160), (390, 844)):
            page = await browser.new_page(viewport={"width": width, "height": height}, locale=language)
            wall = Wall(page, city)
            await wall.open()
            for selector in ("html", "#alerts-head", f"{CARD} .alert", ".tabs"):
                wide = await page.evaluate(OVERFLOW, selector)
                assert wide <= 1, (language, width, selector)
            assert wall.complaints == []
            await page.close()


def test_every_word_that_is_asked_for_exists() -> None:
    words = set(re.findall(r"(?:^|[ ,{])(\w+): \"", (JS / "en.js").read_text(), re.M))
    for path in JS.glob("*.js"):
        source = path.read_text()
        for key in re.findall(r"\bt\(\"(\w+)\"", source):
            assert key in words, (path.name, key)
        for prefix in re.findall(r"\bt\(`(\w+_)\$", source):
            assert any(word.startswith(prefix) for word in words), (path.name, prefix)
