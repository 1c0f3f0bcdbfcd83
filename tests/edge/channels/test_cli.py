"""`cityneuron alerts send-test`, run as a user runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from channels_peers.services import Clock, WeComService, serving
from typer.testing import CliRunner

import cityneuron
from edge.channels.cli import send_test
from edge.model.errors import ConfigError

Secret = Callable[[str, str], str]


def configured(folder: Path, secret: Secret, *urls: str) -> Path:
    tables = [
        f'[[channel]]\nname = "room-{index}"\ntype = "wecom"\nurl_file = "{secret(f"url-{index}", url)}"\n'
        for index, url in enumerate(urls, 1)
    ]
    path = folder / "channels.toml"
    path.write_text('timezone = "Asia/Shanghai"\n' + "\n".join(tables))
    return path


async def run(*words: str) -> tuple[int, str]:
    """Run the command in a thread: it has an event loop of its own."""
    result = await asyncio.to_thread(CliRunner().invoke, cityneuron.app, ["alerts", "send-test", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


async def test_every_channel_gets_a_test_message(tmp_path: Path, secret: Secret) -> None:
    async with serving(WeComService(Clock(0.0))) as service:
        config = configured(tmp_path, secret, service.url, service.url)
        code, said = await run("--config", str(config))
    assert code == 0 and said.count("delivered") == 2
    assert sorted(text.split("”")[0] for text in service.texts) == [
        "【测试】城市神经元：通道“room-1",
        "【测试】城市神经元：通道“room-2",
    ]


async def test_a_failure_is_told_with_advice_and_the_others_are_still_tried(
    tmp_path: Path, secret: Secret
) -> None:
    async with serving(WeComService(Clock(0.0))) as service:
        config = configured(tmp_path, secret, service.url.replace("w3c0mk3y", "0ther"), service.url)
        code, said = await run("--config", str(config))
    assert code == 1 and len(service.texts) == 1
    assert "room-1  wecom  FAILED: WeCom answers 93000: invalid webhook url" in said
    assert "try: the key in url_file is unknown" in said and "0ther" not in said


async def test_one_channel_may_be_chosen(tmp_path: Path, secret: Secret) -> None:
    async with serving(WeComService(Clock(0.0))) as service:
        config = configured(tmp_path, secret, service.url, service.url)
        code, said = await run("--config", str(config), "--channel", "room-2")
    assert code == 0 and len(service.texts) == 1 and "room-1" not in said


def test_a_name_that_is_not_there_and_a_file_without_channels_are_advised_upon(
    tmp_path: Path, secret: Secret
) -> None:
    config = configured(tmp_path, secret, "https://h.example/x")
    with pytest.raises(ConfigError, match="no channel 'pager'") as caught:
        send_test(config, "pager")
    assert "room-1" in caught.value.remedy
    config.write_text("")
    with pytest.raises(ConfigError, match="no \\[\\[channel\\]\\]"):
        send_test(config)
