"""SL 651-2014, hydrological stations (水文监测数据通信规约): they call, report and are answered."""

from __future__ import annotations

from edge.adapters.adapter import Adapter, Ids, OfKind
from edge.adapters.report import Word
from edge.adapters.sl651.elements import WORDS
from edge.adapters.sl651.link import Link
from edge.adapters.sl651.readings import FIVE_MINUTES, SERIES
from edge.adapters.sl651.shown import Decoder
from edge.adapters.sl651.station import Station

ADAPTER = Adapter(
    decoder=Decoder,
    words=WORDS,
    kinds={"groundwater": OfKind(words={"03": Word("groundwater_temperature_c")})},
    options=Station,
    talk=Link,
    ids=Ids(r"[0-9A-F]{10}", "ten hex digits in capitals, leading zeros too: 0011223344"),
    series=frozenset((*SERIES.values(), FIVE_MINUTES)),
)
