"""Ways to reach people: a message becomes a request of a service, and its answer a verdict.

Adding one costs a file with a configuration and a codec, a line in CHANNELS, a test and a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.channels.channel import Channel, ChannelConfig, ChannelError
from edge.channels.dingtalk import WINDOWS as DINGTALK_WINDOWS
from edge.channels.dingtalk import DingTalk, DingTalkConfig
from edge.channels.feishu import WINDOWS as FEISHU_WINDOWS
from edge.channels.feishu import Feishu, FeishuConfig
from edge.channels.http import HttpChannel
from edge.channels.limiter import Limiter, Window
from edge.channels.mail import MailConfig
from edge.channels.message import Language, Message, Occasion
from edge.channels.others import AppriseChannel, AppriseConfig
from edge.channels.smtp import MailChannel
from edge.channels.sockets import SyslogChannel
from edge.channels.syslog import SyslogConfig
from edge.channels.webhook import Webhook, WebhookConfig
from edge.channels.wecom import WINDOWS as WECOM_WINDOWS
from edge.channels.wecom import WeCom, WeComConfig
from edge.config import load_toml, read_table
from edge.model.errors import ConfigError

__all__ = [
    "CHANNELS", "Channel", "ChannelError", "Language", "Limiter", "Message", "Occasion", "Window",
    "load_channels", "make_channel",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of channel: its configuration, and how one is made of it."""

    config: type[ChannelConfig]
    make: Callable[[Any], Channel]


CHANNELS: dict[str, Kind] = {
    "dingtalk": Kind(DingTalkConfig, lambda config: HttpChannel(config, DingTalk(config), DINGTALK_WINDOWS)),
    "wecom": Kind(WeComConfig, lambda config: HttpChannel(config, WeCom(config), WECOM_WINDOWS)),
    "feishu": Kind(FeishuConfig, lambda config: HttpChannel(config, Feishu(config), FEISHU_WINDOWS)),
    "email": Kind(MailConfig, MailChannel),
    "webhook": Kind(WebhookConfig, lambda config: HttpChannel(config, Webhook(config), ())),
    "syslog": Kind(SyslogConfig, SyslogChannel),
    "apprise": Kind(AppriseConfig, AppriseChannel),
}
"""Every type of channel, by what `type` says."""


def make_channel(table: Mapping[str, Any], where: str, base: Path = Path()) -> Channel:
    """Make a channel of a [[channel]] table; raise ConfigError. Files are looked for beside `base`."""
    name = table.get("type")
    if name not in CHANNELS:
        raise ConfigError(f"{where}: type {name!r} is no channel", remedy=f"known: {', '.join(CHANNELS)}")
    files = {key: str(base / Path(value).expanduser()) for key, value in table.items() if _is_file(key, value)}
    kind = CHANNELS[name]
    config = read_table(kind.config, {**table, **files}, where)
    if not config.name or config.timeout_s <= 0 or config.per_minute < 0:
        raise ConfigError(f"{where}: name, timeout_s or per_minute is out of range")
    return kind.make(config)


def load_channels(
    source: Path | Sequence[Mapping[str, Any]], where: str = "", base: Path = Path()
) -> tuple[Channel, ...]:
    """Make all channels of a TOML file, or of its list of [[channel]] tables; two of one name are refused."""
    if isinstance(source, Path):
        tables = load_toml(source).get("channel", [])
        where, base = where or str(source), source.parent
    else:
        tables = list(source)
    if not isinstance(tables, list):
        raise ConfigError(f"{where}: channel is no list of tables", remedy="write [[channel]]")
    channels: dict[str, Channel] = {}
    for index, table in enumerate(tables, 1):
        place = f"{where}: [[channel]] {index}"
        if not isinstance(table, Mapping):
            raise ConfigError(f"{place} is not a table")
        channel = make_channel(table, place, base)
        if channel.name in channels:
            raise ConfigError(f"{place}: there is a channel {channel.name!r} already", remedy="rename one")
        channels[channel.name] = channel
    return tuple(channels.values())


def _is_file(key: str, value: object) -> bool:
    return key.endswith("_file") and isinstance(value, str)
