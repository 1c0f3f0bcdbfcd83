"""Feeds payloads (hex, one a line of the file given) to the decoder: it must read them or raise PackError.

Prints which of them it read, and how many it refused.
"""

import gc
import sys
from binascii import unhexlify

from cityneuron import pack
from cityneuron.errors import PackError

refused = 0
with open(sys.argv[1]) as file:
    for number, line in enumerate(file):
        try:
            pack.read_ack(unhexlify(line.strip()))
            print("read", number)
        except PackError:
            refused += 1
gc.collect()
print("refused", refused)
