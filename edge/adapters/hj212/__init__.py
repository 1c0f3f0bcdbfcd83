"""HJ 212-2017 and HJ/T 212-2005: pollution-source and environment loggers (数采仪) that call the gateway."""

from __future__ import annotations

from edge.adapters.adapter import Adapter
from edge.adapters.hj212.decode import decoded
from edge.adapters.hj212.factors import WORDS
from edge.adapters.hj212.options import Options
from edge.adapters.hj212.reports import DATA
from edge.adapters.hj212.talk import LoggerTalk

ADAPTER = Adapter(decoder=lambda: decoded, words=WORDS, options=Options, talk=LoggerTalk, series=DATA)
