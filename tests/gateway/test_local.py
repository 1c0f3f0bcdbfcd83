"""The gateway's own messages: who reads them knows what happened, how it changed, and where to look."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from gateway_rig import NOW_S, registered

from edge.channels.channel import Channel, ChannelConfig
from edge.channels.message import Message
from edge.model.alert import Episode, Level, Told
from edge.rules import read_rules
from gateway.local import Local

NOW_MS = round(NOW_S * 1000)
RULES = read_rules(
    """
[rule.flood]
label = { en = "Flood stage", zh = "洪水" }
kinds = ["water_level"]
quantity = "level_m"
levels.orange = 3
"""
)
FLOOD = Episode(
    rule="flood", node="ys-07", start_ms=NOW_MS, quantity="level_m", level=Level.ORANGE, highest=Level.ORANGE,
    value=3.12, peak=3.12, peak_ms=NOW_MS, updated_ms=NOW_MS, threshold=3.0,
)  # fmt: skip


class Notebook(Channel):
    """Notes what it is given."""

    def __init__(self) -> None:
        super().__init__(ChannelConfig(name="duty", type="notebook", language="en"), ())
        self.messages: list[Message] = []

    async def _send(self, message: Message) -> None:
        self.messages.append(message)

    async def close(self) -> None:
        return


async def said(*episodes: Episode) -> Message:
    """Return the message about these episodes."""
    notebook = Notebook()
    zone = ZoneInfo("Asia/Shanghai")
    local = Local(notebook, RULES, lambda name: registered(name), zone, lambda: NOW_S, "https://wall.example/")
    await local.tell(episodes)
    (message,) = notebook.messages
    return message


async def test_a_message_says_what_happened_and_links_to_the_alert() -> None:
    message = await said(FLOOD)
    assert "3.12 m" in message.title and "ys-07" in message.title
    assert message.url == f"https://wall.example/#alert=flood/ys-07/{NOW_MS}"


async def test_a_rise_says_from_which_level() -> None:
    told = Told("duty", NOW_MS, "yellow")
    assert "up from yellow" in (await said(replace(FLOOD, told=(told,)))).title


async def test_an_end_is_one_quiet_line() -> None:
    over = replace(FLOOD, end_ms=NOW_MS + 60_000, told=(Told("duty", NOW_MS, "orange"),))
    message = await said(over)
    assert message.quiet and "Resolved" in message.title


async def test_many_at_once_are_one_message_with_a_line_each() -> None:
    message = await said(*(replace(FLOOD, node=f"ys-{index:02}") for index in range(5)))
    assert "5 alerts" in message.title and len(message.lines) == 5
    assert message.url == "https://wall.example/#panel=alerts"
