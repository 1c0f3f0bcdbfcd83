"""SL 651-2014, hydrological stations (水文监测数据通信规约): they call, report and are answered."""

from __future__ import annotations

from edge.adapters.adapter import Adapter
from edge.adapters.sl651.elements import WORDS
from edge.adapters.sl651.shown import Decoder

ADAPTER = Adapter(decoder=Decoder, words=WORDS)
