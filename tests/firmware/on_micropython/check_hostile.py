"""Feeds payloads (hex, one a line of the file given) to the decoder: it must read them or raise PackError."""

import gc
import sys
from binascii import unhexlify

from cityneuron import pack
from cityneuron.errors import PackError

refused = 0
with open(sys.argv[1]) as file:
    for line in file:
        try:
            pack.read_ack(unhexlify(line.strip()))
        except PackError:
            refused += 1
gc.collect()
print("refused", refused)
