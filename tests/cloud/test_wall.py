"""The wall in a real Chromium, over the real cloud: what people see, and that nothing else is asked or said."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from playwright.async_api import Browser, FloatRect
from wall_rig import COUNTS, HOSTILE_LABEL, NODES, ONE_OF_EACH_KIND, City, Wall, now_ms, quarantined

PAINTED = """selector => {
  const canvas = document.querySelector(selector);
  if (!canvas) return 0;
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let painted = 0;
  for (let i = 3; i < data.length; i += 4) painted += data[i] > 40;
  return painted;
}"""
OVERFLOW = """selector => {
  const box = document.querySelector(selector);
  return [box.scrollWidth - box.clientWidth, box.scrollHeight - box.clientHeight];
}"""
STATIC = Path(__file__).parents[2] / "cloud" / "web" / "static"
JS, VENDOR = STATIC / "js", STATIC / "vendor"
NODE_CANVAS = "#map canvas.nodes"
CHART = ".quantity:first-child .u-wrap canvas"


async def test_nodes_appear_on_the_map_and_as_figures(city: City, wall: Wall) -> None:
    await city.populate()
    await wall.open()
    assert await wall.page.evaluate("document.documentElement.dataset.nodes") == str(len(NODES))
    assert await wall.page.evaluate("cityWall.drawn()") == len(NODES)
    assert await wall.page.evaluate(PAINTED, NODE_CANVAS) > 20 * 50
    await wall.sees(".legend li", "OK20")
    await wall.sees('.card[data-system="water"] .value', "3.00m")
    await wall.sees("#district", "Test district")
    await wall.sees(".band-text", "Readings stored 1,200")


async def test_the_page_fits_both_walls_without_scrolling(city: City, browser: Browser) -> None:
    await city.populate()
    await city.send("POST", "/api/v1/nodes", json={"nodes": ONE_OF_EACH_KIND})
    for width, height in ((1920, 1080), (3840, 2160)):
        page = await browser.new_page(viewport={"width": width, "height": height}, locale="zh-CN")
        wall = Wall(page, city)
        await wall.open()
        for selector in ("html", "#cards", ".top", ".network"):
            over = await page.evaluate(OVERFLOW, selector)
            assert max(over) <= 2, (width, selector, over)
        assert wall.complaints == []
        await page.close()


async def test_a_value_changes_live_without_a_reload(city: City, wall: Wall) -> None:
    await city.populate()
    await wall.open()
    await wall.page.evaluate("window.stillThisPage = true")
    await city.write("water-level-3", level_m=4.56)
    await wall.sees('.card[data-system="water"] .value', "4.56m")
    await wall.sees('.card[data-system="water"] .what em', "Stage station 3")
    assert await wall.page.evaluate("window.stillThisPage")


async def test_a_new_node_appears_live(city: City, wall: Wall) -> None:
    await wall.open()
    await wall.sees("#blank", "No nodes yet")
    await city.send("POST", "/api/v1/nodes", json={"nodes": NODES[:1]})
    await wall.until("document.documentElement.dataset.nodes === '1'")
    await wall.sees("#attention .note", "Registered, never heard")


async def test_a_click_on_a_node_opens_charts_that_draw(city: City, wall: Wall) -> None:
    await city.populate()
    await wall.open()
    await wall.click_node("air-quality-2")
    await wall.sees("#drawer h2", "Air station 2")
    await wall.until(f"({PAINTED})({CHART!r}) > 2000")
    await wall.sees(".quantity:first-child .value", "3.00µg/m³")
    assert "node=air-quality-2" in wall.page.url
    await wall.page.get_by_role("button", name="1 h", exact=True).click()
    await wall.until(f"({PAINTED})({CHART!r}) > 2000")
    await city.write("air-quality-2", pm2_5_ug_m3=77.5)
    await wall.sees(".quantity:first-child .value", "77.5µg/m³")
    await wall.page.keyboard.press("Escape")
    await wall.until("document.getElementById('drawer').hidden")
    assert "node=" not in wall.page.url


async def test_a_rejected_value_asks_for_attention_and_is_crossed_in_the_chart(city: City, wall: Wall) -> None:
    await city.populate()
    await city.write("water-level-2", level_m_rejected=-999.9, level_m_qc=4)
    await wall.open()
    note = wall.page.locator("#attention .note", has_text="Stage station 2")
    await note.wait_for()
    assert "-999.90 m rejected" in await note.inner_text()
    await note.click()
    await wall.sees(".quantity:first-child .flag", "rejected -999.90 m")
    await wall.sees(".quantity:first-child .crossed", "× 1 rejected")
    await wall.sees("#drawer .state", "Suspect")


async def test_new_firmware_on_trial_shows_until_it_proved_itself(city: City, wall: Wall) -> None:
    async def born(**trial: bool) -> None:
        births = [
            {
                "node": node, "firmware": "2.0.0", "hardware": "esp32", "serial": "", "boot": 20_001,
                "trial": on_trial, "time_ms": now_ms(),
            }
            for node, on_trial in trial.items()
        ]  # fmt: skip
        await city.send("PUT", "/api/v1/gateways/gw-1/report", json={"time_ms": now_ms(), "births": births})

    await city.populate()
    await wall.open()
    assert await wall.page.locator(".legend [data-trial]").count() == 0
    at = await wall.page.evaluate("id => cityWall.pointOf(id)", "air-quality-2")
    around: FloatRect = {"x": at["x"] - 20, "y": at["y"] - 20, "width": 40, "height": 40}
    before = await wall.page.screenshot(clip=around)
    await born(**{"air-quality-2": True, "water-level-2": True})
    await wall.sees(".legend", "new firmware on trial2")
    assert await wall.page.screenshot(clip=around) != before  # the dashed ring
    await wall.page.mouse.move(at["x"], at["y"])
    await wall.sees("#tip", "new firmware on trial")
    await wall.page.mouse.click(at["x"], at["y"])
    await wall.sees("#drawer .trial", "new firmware on trial")
    await wall.page.locator("#lang").click()
    await wall.sees("#drawer .trial", "新固件试运行")
    await wall.sees(".legend", "新固件试运行2")
    await city.write("water-level-2", level_m_rejected=-999.9, level_m_qc=4)
    await wall.sees("#attention .note", "新固件试运行")
    await born(**{"air-quality-2": False, "water-level-2": False})
    await wall.page.locator("#drawer .trial").wait_for(state="hidden")
    await wall.page.locator(".legend [data-trial]").wait_for(state="detached")


async def test_the_ledger_balances_and_is_followed_to_the_line_of_a_node(city: City, wall: Wall) -> None:
    await city.populate()
    await city.report()
    await wall.open()
    await wall.sees("#network .verdict.good", "balanced")
    await wall.sees("#network .made", "100")
    await city.report(counts={**COUNTS, "produced": 103})
    await wall.sees("#network .verdict.bad", "off by 3")
    await wall.page.locator("#network .whole").click()
    row = wall.page.locator("#drawer tr", has_text="Stage station 1")
    await row.wait_for()
    assert "✗ 3" in await row.inner_text()
    await row.locator("button").click()
    await wall.page.get_by_role("button", name="ledger line").click()
    await wall.page.locator("#drawer tr.pick", has_text="Stage station 1").wait_for()


async def test_hostile_text_is_shown_as_text(city: City, wall: Wall) -> None:
    await city.populate()
    hostile = {"en": HOSTILE_LABEL, "zh": HOSTILE_LABEL}
    await city.send("POST", "/api/v1/nodes", json={"nodes": [{**NODES[0], "label": hostile}]})
    script = "<script>document.title='owned'</script>"
    every_byte = bytes(range(256))
    await city.report(
        quarantined(1, script, script.encode()), quarantined(2, "not CBOR", every_byte, node=None)
    )
    await wall.open("#panel=network")
    entry = wall.page.locator("#drawer .entry", has_text=script)
    await entry.locator("summary").click()
    shown = await entry.locator("pre").inner_text()
    assert "3c 73 63 72 69 70 74 3e" in shown
    assert "<script>" in shown.replace("\n", "")
    assert f"<b>{script}</b>" in await entry.locator("p").first.inner_text()
    assert await wall.page.locator("#drawer script, #drawer .entry b, #drawer img").count() == 0
    await wall.page.locator("#drawer tr button", has_text=HOSTILE_LABEL).first.click()
    await wall.sees("#drawer h2", HOSTILE_LABEL)
    assert await wall.page.title() == "City Neuron"


async def test_the_language_is_the_browsers_switches_at_once_and_stays_in_the_address(
    city: City, browser: Browser
) -> None:
    await city.populate()
    page = await browser.new_page(locale="zh-CN")
    wall = Wall(page, city)
    await wall.open()
    await wall.sees("h1", "城市神经元")
    await wall.sees("#attention", "全部节点正常上报")
    await page.locator("#lang").click()
    await wall.sees("h1", "City Neuron")
    await wall.sees("#attention", "Every node is reporting")
    await wall.sees(".card h2", "Lighting")
    assert "lang=en" in page.url
    assert await page.get_attribute("html", "lang") == "en-GB"
    await page.reload()
    await wall.sees("h1", "City Neuron")
    assert wall.complaints == []
    await page.close()


async def test_a_link_opens_exactly_that_view(city: City, wall: Wall) -> None:
    await city.populate()
    moment = now_ms() - 30 * 60_000
    await wall.open(f"#lang=zh&layer=water&node=water-level-4&range=1h&t={moment}")
    await wall.sees("#drawer h2", "水位站4号")
    await wall.sees("#drawer .until", "截至")
    await wall.until(f"({PAINTED})({CHART!r}) > 2000")
    assert await wall.page.evaluate("document.documentElement.dataset.nodes") == "4"
    assert await wall.page.locator('#layers [aria-pressed="true"]').inner_text() == "水网"
    await wall.page.locator("#drawer .close").click()
    await wall.page.locator("#now").click()
    await wall.until("!location.hash.includes('t=')")


async def test_a_lost_connection_is_told_and_healed(city: City, browser: Browser) -> None:
    await city.populate()
    page = await browser.new_page(viewport={"width": 1920, "height": 1080}, locale="zh-CN")
    wall = Wall(page, city)
    await wall.open()
    assert wall.complaints == []
    await city.stop()
    await wall.sees("#banner", "连接中断")
    await wall.sees("#banner", "显示的是")
    await city.start()
    await city.write("water-level-1", level_m=5.25)
    await wall.until("document.documentElement.dataset.link === 'open'")
    await wall.sees('.card[data-system="water"] .value', "5.25m")
    assert await page.locator("#banner").is_hidden()
    assert [one for one in wall.complaints if one.startswith("uncaught")] == []
    await page.close()


async def test_a_city_that_cannot_be_read_says_why_and_is_tried_again(city: City, browser: Browser) -> None:
    page = await browser.new_page(locale="en-GB")
    refused = '{"error": {"message": "the store is away", "remedy": "start the database"}}'
    await page.route("**/api/v1/latest", lambda route: route.fulfill(status=503, body=refused))
    wall = Wall(page, city)
    await page.goto(city.url)
    await wall.sees("#veil", "The city's data cannot be read")
    await wall.sees("#veil", "the store is away")
    await wall.sees("#veil", "start the database")
    await wall.sees("#veil", "trying again in")
    await page.unroute("**/api/v1/latest")
    await page.wait_for_selector('html[data-phase="ready"]')
    await page.close()


async def test_a_phone_shows_one_panel_at_a_time(city: City, browser: Browser) -> None:
    await city.populate()
    page = await browser.new_page(
        viewport={"width": 390, "height": 844}, locale="zh-CN", has_touch=True, is_mobile=True
    )
    wall = Wall(page, city)
    await wall.open()
    for tab, panel in (("地图", ".map"), ("关注", ".attention"), ("网络", ".network"), ("概览", ".cards")):
        await page.locator("#tabs button", has_text=tab).click()
        assert await page.locator(panel).is_visible()
        seen = [
            one for one in (".map", ".attention", ".network", ".cards") if await page.locator(one).is_visible()
        ]
        assert seen == [panel]
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    assert wall.complaints == []
    await page.close()


def test_both_languages_have_the_same_words() -> None:
    words = {
        name: re.findall(r"(?:^|[ ,])(\w+): \"", (JS / f"{name}.js").read_text(), re.M) for name in ("zh", "en")
    }
    assert words["zh"] == words["en"]
    assert len(set(words["zh"])) == len(words["zh"])


def test_vendored_files_are_the_released_ones() -> None:
    rows = re.findall(r"\| (\S+/\S+) \| ([0-9a-f]{64}) \|", (VENDOR / "VENDOR.md").read_text())
    assert len(rows) == 6
    for name, digest in rows:
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_data_never_becomes_markup() -> None:
    for path in JS.glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text()
        ), path.name
