"""DL/T 645-2007, the electricity meters of China: read, never written.

`envelope.py` beside this package finds frames in bytes; `telegram.py` reads one and builds the questions;
`items.py` is the table of identifiers; `values.py` reads their bytes; `poller.py` asks one meter; `roll.py`
finds who is on a line; `decode.py` explains frames to people.
"""

from __future__ import annotations

from edge.adapters.adapter import Adapter, OfKind
from edge.adapters.dlt645.decode import decode
from edge.adapters.dlt645.items import THREE_PHASE_WORDS, THREE_PHASES, WORDS
from edge.adapters.dlt645.poller import Dlt645Options, Dlt645Poller

ADAPTER = Adapter(
    decoder=lambda: decode,
    words=WORDS,
    kinds={"three_phase_meter": OfKind(words=THREE_PHASE_WORDS, options={"items": list(THREE_PHASES)})},
    options=Dlt645Options,
    poller=Dlt645Poller,
)
