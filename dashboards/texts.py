"""What boards say besides the catalogue's own labels, in Chinese and English."""

from __future__ import annotations

import re
from enum import StrEnum

from edge.model.kinds import Kind, System
from edge.model.quantities import Quantity
from edge.rules.rule import Rule


class Language(StrEnum):
    """A language that boards are generated in."""

    ZH = "zh"
    EN = "en"


_BOARDS: dict[str, tuple[str, str]] = {
    "city": ("City Neuron", "城市神经元"),
    "city_about": (
        "Is the city well, and how fresh is what is shown? Generated from the catalogue: edit the catalogue, "
        "not this board.",
        "全市总览：运行是否正常，数据是否及时。由节点目录自动生成：请修改节点目录，不要直接修改本看板。",
    ),
    "system_about": (
        "{system}: where it stands now, each kind of node, and the long term. Generated from the catalogue.",
        "{system}：当前态势、各类节点和长期变化。由节点目录自动生成。",
    ),
    "site": ("Site", "站点"),
    "site_about": (
        "All that stands at one site, whatever system it belongs to. Generated from the catalogue.",
        "一个站点的全部节点，不分系统。由节点目录自动生成。",
    ),
    "one": ("Node: {kind}", "节点：{kind}"),
    "one_about": (
        "One node: all it measures, its quality, link, battery and account. Generated from the catalogue.",
        "单个节点：全部观测量、数据质量、通信与电池、数据账目。由节点目录自动生成。",
    ),
    "pipeline": ("Pipeline", "数据链路"),
    "pipeline_about": (
        "The way of the readings from node to store: is all accounted for, and how long does it take? "
        "Generated from the catalogue.",
        "读数从节点到入库的全过程：账目是否相符，耗时多久。由节点目录自动生成。",
    ),
    "alerts": ("Alerts", "警情"),
    "alerts_about": (
        "What is on now, and what has been: episodes of the rules, each one counted once. Generated.",
        "当前警情与历史警情：规则触发的每个事件只计一次。自动生成。",
    ),
    "other": ("中文", "English"),
    "systems": ("Systems", "系统"),
    "nodes": ("Nodes", "节点"),
    "network": ("Network and alerts", "网络与警情"),
    "district": ("District", "区域"),
    "site_one": ("Site", "站点"),
    "node": ("Node", "节点"),
    "kind": ("Kind", "类型"),
    "episodes_of": ("Alerts", "警情"),
}

_ROWS: dict[str, tuple[str, str]] = {
    "now": ("Now", "当前态势"),
    "coverage": ("Coverage and freshness", "覆盖率与及时性"),
    "heard_row": ("Nodes heard in the last hour", "近一小时在线节点"),
    "quantities": ("Quantities", "观测量"),
    "further": ("What some of its kind measure besides", "部分设备另测的量"),
    "quality": ("Quality", "数据质量"),
    "link": ("Link and battery", "通信与电池"),
    "account": ("Account and sequence gaps", "数据账目与缺号"),
    "ledger": ("Ledger", "总账"),
    "flow": ("Flow, queue and latency", "流量、积压与时延"),
    "doubt": ("Quarantine and losses", "隔离与缺失"),
    "history": ("History", "历史"),
    "long_term": ("Long term", "长期变化"),
    "nodes_row": ("Nodes of this gateway", "本网关的节点"),
    "zones": ("By zone", "分区"),
    "stages_row": ("Stages", "特征水位"),
    "lamps_row": ("Lamps", "亮灯与能耗"),
}

_PANELS: dict[str, tuple[str, str]] = {
    "heard_about": (
        "Nodes that reported within the last hour, by kind. Compare with those registered: the coverage row.",
        "近一小时内上报过数据的节点数，按类型统计。登记数见“覆盖率与及时性”一栏。",
    ),
    "latest": ("{kind}: latest {quantity}", "{kind}：最新{quantity}"),
    "latest_about": (
        "The newest value of each node and when it was sensed; a click opens the node. {about}",
        "各节点最新值及其采集时刻，点击可打开节点。{about}",
    ),
    "flagged": ("{kind}: values that did not pass", "{kind}：未通过质控的数据"),
    "flagged_about": (
        "Suspect, failed or missing values by quantity (QARTOD flags 3, 4, 9). Failed values are kept apart "
        "and are in no chart.",
        "按观测量统计可疑、不合格与缺测的数据（QARTOD 标志 3、4、9）。不合格的值单独保存，不进入任何曲线。",
    ),
    "clock_doubt": ("Readings with an untrusted clock", "时钟不可信的读数"),
    "clock_doubt_about": (
        "Readings whose clock was estimated or unknown (clock_qc 3 or 2). Their times may be off.",
        "采集时钟为估计或未知的读数（clock_qc 为 3 或 2），其时间可能有偏差。",
    ),
    "trend": ("{kind}: {quantity}", "{kind}：{quantity}"),
    "rate": ("{kind}: {quantity} per hour", "{kind}：每小时{quantity}"),
    "share": ("{kind}: {quantity}, share of nodes", "{kind}：{quantity}占比"),
    "total": ("{kind}: {quantity}, total by district", "{kind}：各区{quantity}合计"),
    "by_district": ("{kind}: {quantity} by district", "{kind}：分区{quantity}"),
    "about": (
        "{quantity}{unit}. Sensors report {low} to {high}, in steps of {resolution}; what lies "
        "outside is not drawn. {how}",
        "{quantity}{unit}。传感器量程 {low} 至 {high}，分辨力 {resolution}；超出量程的值不绘出。{how}",
    ),
    "about_plain": (
        "{quantity}{unit}, as the node reports it. {how}",
        "{quantity}{unit}，由节点上报，不设量程上限。{how}",
    ),
    "about_state": ("{quantity}: 1 is yes, 0 is no. {how}", "{quantity}：1 为是，0 为否。{how}"),
    "and": (", ", "、"),
    "then": ("; ", "；"),
    "unit": (", in {unit}", "（{unit}）"),
    "how_arithmetic": ("Arithmetic mean of each interval.", "取各时段算术平均值。"),
    "how_energy": ("Energy mean of each interval.", "取各时段能量平均值。"),
    "how_sum": ("Sum of each interval.", "取各时段合计。"),
    "how_last": ("Last value of each interval.", "取各时段末值。"),
    "how_rate": ("Growth of the counter, per hour.", "由累计值求每小时增量。"),
    "how_share": ("Share of the nodes where it is yes.", "取状态为“是”的节点占比。"),
    "how_total": ("Sum over the nodes of their means.", "各节点均值之和。"),
    "lines": (" Lines: {lines}.", "界线：{lines}。"),
    "line_above": ("{rule}: {values}", "{rule}：{values}"),
    "line_below": ("{rule}, below: {values}", "{rule}（低于）：{values}"),
    "stage_lines": (
        " Dashed: the station's own stages, as registered.",
        "虚线：本站登记的特征水位。",
    ),
    "map": ("Where the nodes are and how they are", "节点分布与状态"),
    "map_about": (
        "Every registered node that has a place, coloured by its state in the last minutes. A click opens it. "
        "Coordinates are WGS 84; the ground is the base map set in Grafana.",
        "所有已登记坐标的节点，按最近几分钟的状态着色，点击可打开节点。坐标系为 WGS 84，底图由 Grafana 配置。",
    ),
    "states": ("Nodes by state", "各状态节点数"),
    "states_about": (
        "Registered nodes by their newest state. Late: over three periods; silent: over twenty; suspect: "
        "heard, but the newest values did not pass the checks.",
        "已登记节点按最新状态统计。延迟：超过 3 个上报周期；失联：超过 20 个；"
        "存疑：节点在线，但最新数据未通过质控。",
    ),
    "coverage_now": ("Coverage", "覆盖率"),
    "coverage_about": (
        "Share of the registered nodes that are heard of (not silent), by system: 100 % is the plan.",
        "仍在上报（未失联）的节点占登记节点的比例，分系统统计，规划要求 100%。",
    ),
    "coverage_course": ("Coverage over time", "覆盖率变化"),
    "fresh_now": ("Age of the newest reading", "最新读数时龄"),
    "fresh_about": (
        "How long ago nodes last reported: half are fresher than the median, 95 in 100 than the other.",
        "距节点最近一次上报的时间：中位数表示一半节点优于此值，95 分位表示 95% 的节点优于此值。",
    ),
    "age_course": ("Time since the last reading", "距上次上报的时间"),
    "age_course_about": (
        "How old the node's newest reading was, minute by minute: teeth as high as its period are in order.",
        "逐分钟记录的最新读数时龄。锯齿高度与上报周期相当即为正常。",
    ),
    "fresh_course": ("Age of the newest reading over time", "最新读数时龄变化"),
    "median": ("median", "中位数"),
    "p95": ("95 %", "95 分位"),
    "firing_levels": ("Open alerts", "未结束警情"),
    "firing_levels_about": (
        "Episodes that have not ended, by the highest level each has reached. Begun within the last 30 days.",
        "尚未结束的警情，按其达到的最高级别统计。统计近 30 天内开始的警情。",
    ),
    "firing": ("What is on now", "当前警情"),
    "firing_about": (
        "Episodes that have not ended, the newest first, of the last 30 days; a click opens the node.",
        "尚未结束的警情，最新的在前，统计近 30 天内开始的，点击可打开节点。",
    ),
    "episodes": ("Alerts begun in the time shown", "所选时段内开始的警情"),
    "episodes_about": (
        "Every episode that began in the time shown, ended or not, with its highest level.",
        "所选时段内开始的全部警情，无论是否结束，级别为其达到的最高级别。",
    ),
    "per_day": ("Alerts begun, by day", "每日新增警情"),
    "per_day_about": (
        "Episodes by the day on which they began (Shanghai time) and their highest level.",
        "按开始日期（北京时间）与最高级别统计的警情数。",
    ),
    "by_system": ("Alerts by system", "各系统警情数"),
    "by_rule": ("Alerts by rule", "各规则警情数"),
    "by_about": (
        "Episodes begun in the time shown. A rule that leads by far may want another threshold.",
        "所选时段内开始的警情数。某条规则明显偏多时，应检查其阈值。",
    ),
    "acknowledged_now": ("Open alerts, acknowledged", "未结束警情的确认情况"),
    "acknowledged_about": (
        "Of the episodes that have not ended, how many somebody has acknowledged, and how many nobody has.",
        "尚未结束的警情中，已有人确认与无人确认的数量。",
    ),
    "stages": ("Stations: stage against their own marks", "各站水位与特征水位"),
    "stages_about": (
        "The newest stage of each station beside its registered marks, and how far it stands over (+) or under "
        "(-) the warning and the guaranteed stage, in m. Colours are those of the rule “{rule}”.",
        "各站最新水位与登记的特征水位，以及高于（+）或低于（-）警戒水位、保证水位的幅度，单位 m。"
        "颜色与规则“{rule}”一致。",
    ),
    "near_m": ("Near warning", "接近警戒"),
    "warning_m": ("Warning stage", "警戒水位"),
    "guaranteed_m": ("Guaranteed stage", "保证水位"),
    "record_m": ("Highest on record", "历史最高"),
    "over_warning_m": ("Over warning", "超警戒"),
    "over_guaranteed_m": ("Over guaranteed", "超保证"),
    "air_index": ("Air quality index by zone", "分区空气质量指数"),
    "air_index_about": (
        "Sub-index of each pollutant from the mean of the last hour, and the highest of them. HJ 633-2026; the "
        "standard's own real-time index takes 24 h of SO₂, NO₂ and CO and 8 h of O₃: the rules do so.",
        "按近一小时均值计算的各污染物分指数及其最大值，依据 HJ 633-2026。标准的实时指数对二氧化硫、二氧化氮、"
        "一氧化碳取 24 小时均值，对臭氧取 8 小时均值，告警规则按标准计算。",
    ),
    "air_course": ("{pollutant} sub-index by zone", "分区{pollutant}分指数"),
    "air_course_about": (
        "Hourly sub-index of {pollutant} by zone, coloured by the six classes of HJ 633-2026.",
        "{pollutant}小时均值的分指数，按 HJ 633-2026 的六个等级着色。",
    ),
    "aqi": ("AQI", "AQI"),
    "air_class": ("Class", "等级"),
    "hours": ("{kind}: {quantity}, 30 days by the hour", "{kind}：{quantity}，30 天逐时"),
    "days": ("{kind}: {quantity}, a year by the day", "{kind}：{quantity}，一年逐日"),
    "rolled_about": (
        "From the roll-ups: all nodes of the districts chosen together. {how} {about}",
        "取自汇总数据，为所选区域全部节点的合并统计。{how}{about}",
    ),
    "rolled_node_about": (
        "From the roll-ups, this node alone. {how} {about}",
        "取自汇总数据，仅本节点。{how}{about}",
    ),
    "rolled_three": ("Least, mean and greatest of each window.", "各时段的最小值、平均值和最大值。"),
    "rolled_energy": ("Energy mean of each window.", "各时段的能量平均值。"),
    "rolled_grown": ("Growth of the counters in each window.", "各时段累计值的增量。"),
    "rolled_share": ("Share of time in which it was yes.", "状态为“是”的时间占比。"),
    "rolled_sum": ("Sum of each window.", "各时段合计。"),
    "state_now": ("State", "状态"),
    "state_about": (
        "How the cloud sees this node: OK, late, silent, suspect (its values did not pass), or never heard of.",
        "平台对本节点的判定：正常、延迟、失联、存疑（最新数据未通过质控）或从未上报。",
    ),
    "age_now": ("Since the last reading", "距上次上报"),
    "age_about": ("Time since the node was last heard of.", "距该节点最近一次上报的时间，以平台时钟为准。"),
    "battery_now": ("Battery", "电池"),
    "battery_about": (
        "The newest voltage of the node's battery, in the colour of its level.{lines}",
        "节点电池的最新电压，按告警级别着色。{lines}",
    ),
    "account_now": ("Account of readings", "读数账目"),
    "account_about": (
        "Produced = stored + queued + dropped + quarantined + missing, counted by boot and sequence number.",
        "产生 = 入库 + 待发 + 舍弃 + 隔离 + 缺失，按启动次数与序号逐条清点。",
    ),
    "gaps": ("Sequence gaps and queue", "缺号与待发"),
    "gaps_about": (
        "Readings that the sequence numbers show to be missing, and those still on their way. Gaps are asked "
        "for again, so a line that falls is a gap that was filled.",
        "由序号判定的缺失读数，以及尚在途中的读数。缺号会自动补传，曲线回落表示已补齐。",
    ),
    "ledger_now": ("Ledger of all gateways", "全部网关总账"),
    "ledger_about": (
        "Sum over the gateways: produced = stored + queued + dropped + quarantined + missing. What is "
        "unaccounted for must be 0.",
        "各网关合计：产生 = 入库 + 待发 + 舍弃 + 隔离 + 缺失。去向不明必须为 0。",
    ),
    "losers": ("Nodes with missing readings", "有缺失读数的节点"),
    "losers_about": (
        "Nodes whose account has a gap now, the largest first; a click opens the node.",
        "账目中存在缺号的节点，缺失多的在前，点击可打开节点。",
    ),
    "members": ("Nodes behind this gateway", "经本网关接入的节点"),
    "members_about": (
        "State, age and account of every node that reports through this gateway; a click opens the node.",
        "经本网关上报的各节点的状态、时龄与账目，点击可打开节点。",
    ),
}

_WORDS: dict[str, tuple[str, str]] = {
    "no_data": ("no data", "无数据"),
    "none": ("none", "无"),
    "time": ("Sensed", "采集时刻"),
    "since": ("Since", "开始"),
    "until": ("Until", "结束"),
    "value": ("Value", "数值"),
    "unit_of": ("Unit", "单位"),
    "level": ("Level", "级别"),
    "title": ("Alert", "警情"),
    "rule": ("Rule", "规则"),
    "system": ("System", "系统"),
    "label": ("Name", "名称"),
    "state": ("State", "状态"),
    "age_s": ("Age", "时龄"),
    "acknowledged": ("Acknowledged", "已确认"),
    "unacknowledged": ("Not acknowledged", "未确认"),
    "count": ("Alerts", "警情数"),
    "still_open": ("still on", "未结束"),
    "open_node": ("Open the node", "打开节点"),
    "open_system": ("Open the system", "打开系统"),
    "count_readings": ("readings", "读数"),
    "on": ("yes", "是"),
    "off": ("no", "否"),
    "min": ("least", "最小"),
    "mean": ("mean", "平均"),
    "max": ("greatest", "最大"),
    "produced": ("produced", "产生"),
    "stored": ("stored", "入库"),
    "queued": ("queued", "待发"),
    "dropped": ("dropped", "舍弃"),
    "quarantined": ("quarantined", "隔离"),
    "missing": ("missing", "缺失"),
    "state_0": ("OK", "正常"),
    "state_1": ("late", "延迟"),
    "state_2": ("silent", "失联"),
    "state_3": ("suspect", "存疑"),
    "state_4": ("never heard", "从未上报"),
    "level_1": ("blue", "蓝"),
    "level_2": ("yellow", "黄"),
    "level_3": ("orange", "橙"),
    "level_4": ("red", "红"),
}

_SEAM = re.compile(r"(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[\u4e00-\u9fff])")
"""Where Chinese and Latin letters meet there is a space: 最新 PM2.5."""

TEXTS: dict[str, tuple[str, str]] = {**_BOARDS, **_ROWS, **_PANELS, **_WORDS}


def text(key: str, language: Language, **values: object) -> str:
    """Return a text of the table, its {places} filled in."""
    if language is Language.EN:
        return TEXTS[key][0].format(**values)
    return _SEAM.sub(" ", TEXTS[key][1].format(**values))


def label(row: Kind | System | Quantity | Rule, language: Language) -> str:
    """Return what the catalogue calls a row."""
    return row.label_en if language is Language.EN else row.label_zh


def inside(words: str, language: Language) -> str:
    """Return a label as it stands within a title: "water level", but "PM2.5", "pH" and "NO₂"."""
    if language is Language.EN and words[1:2].islower():
        return words[0].lower() + words[1:]
    return words
