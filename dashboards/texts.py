"""What boards say besides the catalogue's own labels, in Chinese and English."""

from __future__ import annotations

from enum import StrEnum

from edge.model.kinds import Kind, System
from edge.model.quantities import Quantity


class Language(StrEnum):
    """A language that boards are generated in."""

    ZH = "zh"
    EN = "en"


_TEXTS: dict[str, tuple[str, str]] = {
    "city": ("City Neuron", "城市神经元"),
    "city_about": (
        "Every system of the city. Generated from the catalogue: edit the catalogue, not this board.",
        "全市各系统总览。由目录自动生成：请修改目录，不要直接修改本看板。",
    ),
    "other": ("中文", "English"),
    "district": ("District", "区域"),
    "overview": ("Nodes heard in the last hour", "近一小时在线节点"),
    "heard_about": (
        "Nodes that reported within the last hour, by kind. Fewer than registered: see the network row.",
        "近一小时内上报过数据的节点数，按类型统计。少于登记数时，请看“感知网络”一栏。",
    ),
    "latest": ("{kind}: latest {quantity}", "{kind}：最新{quantity}"),
    "latest_about": (
        "The newest value of each node and when it was sensed. {about}",
        "各节点最新值及其采集时刻。{about}",
    ),
    "flagged": ("{kind}: values that did not pass", "{kind}：未通过质控的数据"),
    "flagged_about": (
        "Suspect, failed or missing values by quantity (QARTOD flags 3, 4, 9). Failed values are kept apart "
        "and are in no chart.",
        "按观测量统计可疑、不合格与缺测的数据（QARTOD 标志 3、4、9）。不合格的值单独保存，不进入任何曲线。",
    ),
    "trend": ("{kind}: {quantity}", "{kind}：{quantity}"),
    "rate": ("{kind}: {quantity} per hour", "{kind}：每小时{quantity}"),
    "share": ("{kind}: {quantity}, share of nodes", "{kind}：{quantity}占比"),
    "about": (
        "{quantity}{unit}. Sensors report {low} to {high}, in steps of {resolution}; what lies "
        "outside is not drawn. {how}",
        "{quantity}{unit}。传感器量程 {low} 至 {high}，分辨力 {resolution}；超出量程的值不绘出。{how}",
    ),
    "unit": (", in {unit}", "（{unit}）"),
    "how_arithmetic": ("Arithmetic mean of each interval.", "取各时段算术平均值。"),
    "how_energy": ("Energy mean of each interval.", "取各时段能量平均值。"),
    "how_sum": ("Sum of each interval.", "取各时段合计。"),
    "how_last": ("Last value of each interval.", "取各时段末值。"),
    "how_rate": ("Growth of the counter, per hour.", "由累计值求每小时增量。"),
    "how_share": ("Share of the nodes that are on.", "取处于开启状态的节点占比。"),
    "no_data": ("no data", "无数据"),
    "time": ("Sensed", "采集时刻"),
    "node": ("Node", "节点"),
    "value": ("Value", "数值"),
    "on": ("yes", "是"),
    "off": ("no", "否"),
}


def text(key: str, language: Language, **values: object) -> str:
    """Return a text of the table, its {places} filled in."""
    return _TEXTS[key][0 if language is Language.EN else 1].format(**values)


def label(row: Kind | System | Quantity, language: Language) -> str:
    """Return what the catalogue calls a row."""
    return row.label_en if language is Language.EN else row.label_zh
