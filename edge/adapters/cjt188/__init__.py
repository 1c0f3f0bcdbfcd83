"""CJ/T 188-2004, the water, heat and gas meters of China: read, never written.

`envelope.py` beside this package finds frames in bytes; `telegram.py` reads one and builds the questions;
`values.py` knows units and media; `poller.py` asks one meter; `roll.py` finds who is alone on a line;
`decode.py` explains frames to people.
"""

from __future__ import annotations

from edge.adapters.adapter import Adapter
from edge.adapters.cjt188.decode import decode
from edge.adapters.cjt188.poller import Cjt188Options, Cjt188Poller
from edge.adapters.cjt188.values import WORDS

ADAPTER = Adapter(decoder=lambda: decode, words=WORDS, options=Cjt188Options, poller=Cjt188Poller)
