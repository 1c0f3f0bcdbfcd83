"""What an officer does with an alert, at a desk and on a phone, in a real Chromium over the real cloud."""

from __future__ import annotations

from dataclasses import replace

from playwright.async_api import expect
from wall_rig import TOKEN, City, Wall, episode, now_ms

CARD = "#alerts"
SIGNED_IN = f"sessionStorage.setItem('city.token', '{TOKEN}'); localStorage.setItem('city.officer', 'Wang');"


async def test_a_phone_acknowledges_in_two_taps_at_the_server_and_on_the_wall(
    city: City, wall: Wall, phone: Wall
) -> None:
    await city.populate()
    await city.tell(episode("water-level-1", "red"), episode("water-level-2", "orange"))
    await wall.open()
    await phone.open()
    await phone.page.locator(f"{CARD} .open", has_text="Stage station 1").tap()
    await phone.page.get_by_role("button", name="Acknowledge", exact=True).tap()
    await phone.sign_in()  # asked once
    await wall.sees(f"{CARD} .alert", "✓ Wang")
    await phone.sees("#drawer .became", "✓ Wang")
    await phone.page.locator("#drawer .close").tap()
    await phone.page.locator(f"{CARD} .open", has_text="Stage station 2").tap()
    await phone.page.get_by_role("button", name="Acknowledge", exact=True).tap()
    await phone.sees("#drawer .steps", "Acknowledged Wang")
    states = {alert["node"]: (alert["state"], alert["acknowledged_by"]) for alert in await city.alerts()}
    assert states == dict.fromkeys(("water-level-1", "water-level-2"), ("acknowledged", "Wang"))
    assert await phone.page.evaluate("document.documentElement.scrollWidth") == 390
    assert phone.complaints == []


async def test_targets_on_a_phone_are_large(city: City, phone: Wall) -> None:
    await city.populate()
    await city.tell(episode("water-level-1", "red"))
    await phone.open()
    await large(phone, f"{CARD} .open, {CARD} .take, .tabs button")
    await phone.page.locator(f"{CARD} .open").tap()
    await large(phone, "#drawer .actions button, #drawer .back")


async def large(wall: Wall, targets: str) -> None:
    """Each of these is large enough for a thumb."""
    await expect(wall.page.locator(targets).first).to_be_visible()
    await expect(wall.page.locator(targets).last).to_be_visible()
    sizes = await wall.sizes(targets)
    assert sizes and all(min(width, height) >= 44 for _, width, height in sizes), sizes


async def test_news_between_press_and_release_takes_no_button_from_under_the_finger(
    city: City, wall: Wall
) -> None:
    await city.populate()
    red, other = episode("water-level-1", "red"), episode("water-level-2", "red", minutes_ago=20)
    await city.tell(red, other)
    await wall.page.add_init_script(SIGNED_IN)
    await wall.open("#alert=1")
    for what in ("#drawer .actions .primary", f"{CARD} .alert[data-id='2'] .take"):
        button = wall.page.locator(what)
        await button.hover()
        await wall.page.mouse.down()
        red, other = (replace(one, revision=one.revision + 1, value=one.value + 0.5) for one in (red, other))
        await city.tell(red, other, episode(f"water-level-{red.revision + 1}", "red", minutes_ago=40))
        await wall.sees("#drawer .now", f"{red.value:.2f} m")
        await wall.sees(f"{CARD} .alert[data-id='2']", f"{other.value:.2f} m")
        await wall.page.mouse.up()
        await button.wait_for(state="hidden")
    await wall.sees(f"{CARD} .alert[data-id='1'] .standing", "✓ Wang")
    await wall.sees(f"{CARD} .alert[data-id='2'] .standing", "✓ Wang")


async def test_an_officer_assigns_comments_mutes_and_closes_and_the_audit_tells(city: City, wall: Wall) -> None:
    await city.populate()
    await city.tell(episode("water-level-1", "orange"))
    await wall.page.add_init_script(SIGNED_IN)
    await wall.open()
    await wall.page.locator(f"{CARD} .open").click()
    actions = wall.page.locator("#drawer .actions")

    async def choose(name: str) -> None:
        await actions.locator(".choices").get_by_role("button", name=name, exact=True).click()

    await choose("Assign")
    await actions.locator("input").fill("Li")
    await actions.locator("textarea").fill("pump 2")
    await city.tell(episode("water-level-1", "orange", rule="other"))  # news does not take what was typed
    await wall.sees(f"{CARD} .rule", "other")
    await actions.locator("form .primary").click()
    await wall.sees("#drawer .steps", "Assigned Wang")
    await choose("Comment")
    await actions.locator("textarea").fill("<b>gate</b> was shut")
    await actions.locator("form .primary").click()
    await wall.sees("#drawer .steps p", "<b>gate</b> was shut")
    await choose("Mute")
    await actions.get_by_label("4 h", exact=True).check()
    await actions.locator("form .primary").click()
    await wall.sees("#drawer .became", "Muted until")
    muted = next(alert for alert in await city.alerts() if alert["rule"] == "flood")
    assert muted["state"] == "muted" and 239 < (muted["muted_until_ms"] - now_ms()) / 60_000 <= 240
    await choose("Unmute")
    await wall.sees("#drawer .became", "Not acknowledged")
    await choose("Close")
    await actions.locator("form .primary").click()
    await wall.sees("#drawer .became", "Closed")
    assert [alert["rule"] for alert in await city.alerts()] == ["other"]


async def test_a_wrong_token_is_asked_for_again_with_advice(city: City, phone: Wall) -> None:
    await city.populate()
    await city.tell(episode("water-level-1"))
    await phone.open()
    await phone.page.locator(f"{CARD} .take").tap()
    await phone.sign_in("wrong")
    await phone.sees("dialog .advice", "does not accept this token")
    assert (await city.alerts())[0]["state"] == "open"
    await phone.page.locator("dialog input[name=token]").fill(TOKEN)
    await phone.page.locator("dialog .primary").tap()
    await phone.sees(f"{CARD} .standing", "✓ Wang")
    assert (await city.alerts())[0]["state"] == "acknowledged"


async def test_nothing_is_done_when_the_officer_does_not_say_who_acts(city: City, phone: Wall) -> None:
    await city.populate()
    await city.tell(episode("water-level-1"))
    await phone.open()
    await phone.page.locator(f"{CARD} .take").tap()
    await phone.page.locator("dialog .quiet").tap()
    await phone.page.locator(f"{CARD} .take").wait_for()
    assert (await city.alerts())[0]["state"] == "open"


async def test_a_step_that_was_not_taken_is_taken_back_and_can_be_tried_again(city: City, phone: Wall) -> None:
    await city.populate()
    await city.tell(episode("water-level-1", "red"))
    await phone.page.add_init_script(SIGNED_IN)
    await phone.open()
    await phone.page.route("**/acknowledge", lambda route: route.abort())
    await phone.page.locator(f"{CARD} .take").tap()
    await phone.sees(f"{CARD} .advice", "The cloud cannot be reached")
    await phone.page.locator(f"{CARD} .take").wait_for()  # it is nobody's again
    await phone.page.unroute("**/acknowledge")
    await phone.page.locator(f"{CARD} .open").tap()
    await phone.page.get_by_role("button", name="Try again").tap()
    await phone.sees("#drawer .became", "✓ Wang")
    assert await phone.page.locator(".advice").count() == 0
