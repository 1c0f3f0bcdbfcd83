"""`source check`: each mistake is named with its line and what to do; what is legal but odd is told too."""

from __future__ import annotations

import re
import socket
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import servers
from typer.testing import CliRunner

from edge import adapters
from edge.adapters.adapter import Adapter
from edge.adapters.report import Word
from edge.model.errors import ConfigError
from gateway.sources.check import Finding, check
from gateway.sources.cli import app

PAGES = [servers.PROJECT / "docs/protocols.md", *sorted((servers.PROJECT / "docs/protocols").glob("*.md"))]
METER = """\
[[source]]
name = "meters"
protocol = "dlt645"
transport = "serial"
address = "/dev/null"
baud = 2400
parity = "E"
[[source.device]]
id = "000000000161"
node = "hall-meter-1"
kind = "power_meter"
"""
BUS = """\
[[source]]
name = "bus"
protocol = "modbus-devices"
transport = "serial"
address = "/dev/null"
[[source.device]]
id = "1"
node = "hall-meter-1"
kind = "power_meter"
profile = "pzem-004t-v3"
"""
LOGGER = """\
[[source]]
name = "loggers"
protocol = "hj212"
transport = "tcp-server"
address = "127.0.0.1:0"
[[source.device]]
id = "A110000_0001"
node = "outfall-1"
kind = "water_quality"
series = "2011"
password = "123456"
"""
MESSAGES = """\
[[source]]
name = "messages"
protocol = "said"
transport = "mqtt"
address = "mqtt://127.0.0.1:1883"
topics = ["up/#"]
[[source.device]]
id = "a"
node = "stage-a"
kind = "water_level"
"""
USER = 'username = "a"\npassword_file = "/none"\n'
POSTED = (
    MESSAGES.replace("mqtt://127.0.0.1:1883", "127.0.0.1:0")
    .replace('"mqtt"', '"http"')
    .replace('topics = ["up/#"]\n', "")
)


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol of messages, among the others."""
    module = ModuleType("said")
    hear = lambda known, now_ms: lambda topic, payload: []  # noqa: E731
    module.ADAPTER = Adapter(decoder=lambda: lambda _: {}, words={"l": Word("level_m")}, hear=hear)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "said", module)
    monkeypatch.setitem(adapters.PROTOCOLS, "said", "said")


def found(text: str) -> list[Finding]:
    return check(text, tomllib.loads(text), "g.toml")[1]


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "old", "new", "words", "line"),
    [
        (METER, 'name = "meters"\n', "", "source[0]: name is missing", 1),
        (METER, "baud", "bauds", "source[0]: unknown key 'bauds'", 6),
        (METER, "2400", '"fast"', "source[0].baud: 'fast' is not int", 6),
        (METER, '"E"', '"even"', "source[0].parity: 'even' is none of 'N', 'E', 'O'", 7),
        (METER, '"dlt645"', '"dlt646"', "source[0].protocol: no protocol 'dlt646'", 3),
        (METER, '"serial"', '"rs485"', "source[0].transport: 'rs485' is none of", 4),
        (METER, '"serial"', '"mqtt"', "source[0]: dlt645 does not come by mqtt", 1),
        (METER, '"serial"', '"tcp-client"', "source[0].address: '/dev/null' is no host:port", 5),
        (METER, METER[METER.index("[[source.device]]"):], "", "source[0] has no device", 1),
        (METER, '"000000000161"', '"16x"', "source[0].device[0].id: '16x' is no DL/T 645 address", 9),
        (METER, "hall-meter-1", "Hall 1", "source[0].device[0].node: not a node id: 'Hall 1'", 10),
        (METER, "power_meter", "meter", "source[0].device[0].kind: no kind 'meter'", 11),
        (METER, "kind", "period_s = -1\nkind", "source[0].device[0].period_s: -1 is not within", 11),
        (METER, "kind", 'items = ["1234"]\nkind', "source[0].device[0]: DL/T 645 item '1234'", 11),
        (METER, "kind", 'words = { u = "volts" }\nkind', "device[0].words.u: no quantity 'volts'", 11),
        (METER, "kind", "words = { u = { factor = 2 } }\nkind", "words.u: quantity is missing", 11),
        (LOGGER, 'password = "123456"\n', "", "source[0].device[0]: password is missing", 6),
        (LOGGER, '"tcp-server"', '"serial"', "source[0]: hj212 does not come by serial", 1),
        (LOGGER, "127.0.0.1:0", "127.0.0.1", "source[0].address: '127.0.0.1' is no host:port", 5),
        (MESSAGES, 'topics = ["up/#"]\n', "", "source[0]: topics is missing", 1),
        (MESSAGES, "mqtt://127", "http://127", "source[0].address: not a broker URL", 5),
        (MESSAGES, "topics", 'password_file = "/none"\ntopics', "source[0]: username is missing", 1),
        (POSTED, "[[source.device]]", 'password_file = "/none"\n[[source.device]]', "username is missing", 1),
        (POSTED, "[[source.device]]", 'username = "a"\n[[source.device]]', "password_file is missing", 1),
        (MESSAGES, "topics", USER + "topics", "source[0].password_file: cannot read /none", 7),
        (MESSAGES, "topics", 'ca_file = "/none"\ntopics', "source[0].ca_file: no such file: /none", 6),
        (METER + LOGGER, '"outfall-1"', '"hall-meter-1"', "'hall-meter-1' is a device of 'meters' already", 19),
        (METER + LOGGER, '"loggers"', '"meters"', "source[1].name: 'meters' is another source", 13),
        (METER, '"meters"', '" "', "source[0].name: it is empty", 2),
        (METER, "2400", "0", "source[0].baud: 0 is no rate of a serial line", 6),
        (METER, "2400", "-9600", "source[0].baud: -9600 is no rate of a serial line", 6),
        (METER, "[[source.device]]", "[source.device]", "source[0] has no device", 1),
        (METER, '"000000000161"', "161", "source[0].device[0].id: 161 is not str", 9),
        (METER, "kind", "period_s = nan\nkind", "period_s: nan is no number to reckon with", 11),
        (METER, "kind", 'words.u = { quantity = "voltage_v", factor = 0 }\nkind', "words.u: factor 0", 11),
        (METER, "kind", "words = []\nkind", "words: [] is not a table", 11),
        (METER, "power_meter", 'power_meter"\n[source.device.words]\nx = "volts', "no quantity 'volts'", 13),
        (BUS, "pzem-004t-v3", "pzem", "source[0].device[0]: no Modbus profile 'pzem'", 10),
        (BUS, '"1"', '"300"', "source[0].device[0].id: '300' is no Modbus unit id", 7),
        (LOGGER, "password", 'time_zone = "Peking"\npassword', "device[0]: no time zone 'Peking'", 11),
        (LOGGER, "127.0.0.1:0", "http://127.0.0.1:80", "'http://127.0.0.1:80' is no host:port", 5),
        (MESSAGES, '["up/#"]', '"up/#"', "source[0].topics: 'up/#' is not a list", 6),
        (MESSAGES, "up/#", "up#", "source[0].topics: 'up#' is no topic to subscribe to", 6),
        (MESSAGES, "up/#", "#/up", "source[0].topics: '#/up' is no topic to subscribe to", 6),
        (MESSAGES, "up/#", "a+/up", "source[0].topics: 'a+/up' is no topic to subscribe to", 6),
        (MESSAGES, "up/#", "", "source[0].topics: '' is no topic to subscribe to", 6),
        (METER + LOGGER, '"123456"', "123456", "source[1].device[0].password: 123456 is not str", 22),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(text: str, old: str, new: str, words: str, line: int) -> None:
    (mistake,) = (each for each in found(changed(text, old, new)) if each.wrong)
    assert words in mistake.message
    assert mistake.line == line


@pytest.mark.parametrize(
    ("text", "old", "new", "words"),
    [
        (METER, "/dev/null", "/dev/ttyNone", "there is no port /dev/ttyNone here"),
        (METER, "kind", "period_s = 1\nkind", "207% of the line's time: readings will be late"),
        (METER, "kind", "period_s = 0\nkind", "period_s 0 is for devices that report by themselves"),
        (METER, "kind", 'words = { a = "voltage_v", b = "voltage_v" }\nkind', "a, b are all voltage_v"),
        (METER, "kind", 'words = { a = "level_m" }\nkind', "level_m is stored, but no part of power_meter"),
        (METER + METER.replace("hall-meter-1", "hall-meter-2").replace('"meters"', '"again"'), "", "",
         "2 sources hold /dev/null"),
        (POSTED, "[[source.device]]", f'key_file = "{__file__}"\n[[source.device]]',
         "key_file does nothing with transport 'http'"),
        (METER, "baud", 'topics = ["a"]\nbaud', "topics does nothing with transport 'serial'"),
        (LOGGER, "[[source.device]]", "baud = 2400\n[[source.device]]", "baud does nothing with"),
        (METER, "/dev/null", "10.0.3.7:4001", "there is no port 10.0.3.7:4001 here"),
        (LOGGER, '"2011"', '"rtd"', "no device of hj212 reports a series 'rtd'"),
        (LOGGER.replace("hj212", "sl651").replace('password = "123456"', ""), '"2011"', '"hourly"',
         "'A110000_0001': no device of sl651 calls itself so"),
        (LOGGER + LOGGER.replace("outfall-1", "outfall-2").replace("loggers", "again"), "", "",
         "device 'A110000_0001' stands in 'loggers' and 'again'"),
        (POSTED, "127.0.0.1:0", ":0", "whoever reaches :0 may post readings"),
        ('[gateway]\nid = "hall-meter-1"\n[nodes]\nadmit_any = true\n' + METER, "", "", "gateway itself"),
        ('[gateway]\nid = "gw-01"\n' + METER, "", "", "will be quarantined as `unregistered`"),
    ],
)  # fmt: skip
def test_what_is_legal_but_odd_is_told_with_a_remedy(text: str, old: str, new: str, words: str) -> None:
    (odd,) = found(text.replace(old, new) if old else text)
    assert words in odd.message
    assert odd.remedy and not odd.wrong


def test_all_mistakes_of_a_file_are_named_at_once() -> None:
    text = changed(changed(METER, "2400", '"fast"'), '"E"', '"even"') + "period_s = -1\nwake = 2\n"
    text += changed(changed(LOGGER, "address", "adress"), "outfall-1", "Outfall").replace("123456", "1", 1)
    assert [
        (each.line, each.message.removeprefix("g.toml.source")[:40]) for each in found(text) if each.wrong
    ] == [
        (6, "[0].baud: 'fast' is not int"),
        (7, "[0].parity: 'even' is none of 'N', 'E', "),
        (13, "[0].device[0]: unknown key 'wake'"),
        (12, "[0].device[0].period_s: -1 is not within"),
        (18, "[1]: unknown key 'adress'"),
        (14, "[1]: address is missing"),
        (21, "[1].device[0].node: not a node id: 'Outf"),
    ]


def test_a_name_that_is_nearly_that_of_the_devices_is_told_with_what_it_should_be() -> None:
    unknown, missing = found(changed(METER, "[[source.device]]", "[source.devices]"))
    assert "unknown key 'devices'" in unknown.message and "[[source.device]]" in missing.remedy


def test_one_table_in_single_brackets_is_told_apart_from_none() -> None:
    with pytest.raises(ConfigError, match=r"\[source\] is one table of many \(write \[\[source\]\]"):
        found(changed(METER, "[[source]]", "[source]").replace("[[source.device]]", "[source.device]"))


def test_the_line_of_a_table_that_is_written_inline_is_that_of_its_source() -> None:
    inline = 'device = [{ id = "000000000161", node = "hall-meter-1", kind = "meter" }]\n'
    (mistake,) = found("\n" + METER[: METER.index("[[source.device]]")] + inline)
    assert "no kind 'meter'" in mistake.message and mistake.line == 2


@pytest.mark.parametrize("topic", ["#", "+", "a/+/b/#", "/a", "a/", "application/+/device/+/event/up", "水/+"])
def test_topics_that_a_broker_takes_are_taken(topic: str) -> None:
    assert not [each for each in found(changed(MESSAGES, "up/#", topic)) if each.wrong]


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (odd,) = found(changed(LOGGER, ":0", f":{taken.getsockname()[1]}"))
    assert "the port is taken" in odd.message


def test_a_file_without_sources_is_told_where_samples_are() -> None:
    with pytest.raises(ConfigError, match=r"has no \[\[source\]\] \(docs/protocols.md"):
        found('[gateway]\nid = "gw-01"\n')


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_samples_of_every_page_are_right(page: Path) -> None:
    samples = [
        text for text in re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL) if "[[source" in text
    ]
    assert samples
    for text in samples:
        wrong = [each for each in found(text) if each.wrong and "_file: " not in each.message]
        assert wrong == []


def test_what_is_right_is_explained_and_the_exit_code_tells_right_from_wrong(tmp_path: Path) -> None:
    file = tmp_path / "g.toml"
    file.write_text(
        changed(METER, "kind", 'words = { up = { quantity = "voltage_v", factor = 0.1 } }\nkind') + LOGGER
    )
    right = CliRunner().invoke(app, ["check", str(file)])
    assert right.exit_code == 0
    for words in (
        "dlt645: we ask on /dev/null, 2400 baud 8E1, busy about 3 % of the time",
        "hall-meter-1  power_meter  1 min   up → voltage_v × 0.1, ",
        "hj212: devices call 127.0.0.1:0",
        "2011",
        "✓ 2 sources, 2 devices, nothing wrong",
    ):
        assert words in right.output

    file.write_text(METER.replace("power_meter", "meter") + LOGGER.replace("outfall-1", "Outfall"))
    wrong = CliRunner().invoke(app, ["check", str(file)])
    assert wrong.exit_code == 1
    assert f"✗ {file}:11  source[0].device[0].kind: no kind 'meter'" in wrong.output
    assert "✗ 2 mistakes: the gateway does not start with this file" in wrong.output
