"""What only an outsider can see: that nothing arrives in the store, and that the cloud has fallen silent.

No rule of a gateway or of the cloud can say so: whoever would have to tell it is the one who fell silent. Here
nothing at all, and a store that does not answer, are the alarm; all other rules keep what they had meanwhile.
"""

from __future__ import annotations

from dashboards.alerting.alert import Alert, Ask, Missing
from edge.model.alert import Level
from edge.model.kinds import KINDS

SILENT_S = 300


def own_alerts() -> tuple[Alert, ...]:
    """Return the alerts that stand in no rules file."""
    return (
        _silent(
            "pipeline_silent",
            ("数据链路中断", "Pipeline silent"),
            ("近 5 分钟没有任何网关数据入库", "nothing of any gateway has reached the store for 5 minutes"),
            f'SELECT count("{KINDS["gateway"].headline}") AS "value" FROM "gateway" WHERE $timeFilter',
            Level.RED,
        ),
        _silent(
            "cloud_silent",
            ("云端中断", "Cloud silent"),
            ("云端已 5 分钟未写入节点状态", "the cloud has not written the state of nodes for 5 minutes"),
            'SELECT count("state") AS "value" FROM "node_status" WHERE $timeFilter',
            Level.ORANGE,
        ),
    )


def _silent(name: str, called: tuple[str, str], said: tuple[str, str], query: str, level: Level) -> Alert:
    return Alert(
        rule=name,
        level=level,
        system="network",
        source="watchers",
        title=f"{called[0]} {called[1]} ({level.label_zh} {level.word})",
        summary_zh=f"{called[0]}（{level.label_zh}色）：{said[0]}",
        summary_en=f"{called[1]} ({level.word}): {said[1]}",
        ask=Ask(text=query, window_s=SILENT_S),
        enter=0.0,
        leave=0.0,
        below=True,
        for_ms=60_000,
        no_data=Missing.ALARM,
        error=Missing.ALARM,
        by_node=False,
    )
