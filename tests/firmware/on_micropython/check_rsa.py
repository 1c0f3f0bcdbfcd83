"""Checks signatures: a JSON file of [[modulus, signature, digest, whether it is good], ...]; prints times."""

import json
import sys
from binascii import unhexlify
from time import ticks_diff, ticks_us

from cityneuron import rsa

with open(sys.argv[1]) as file:
    rows = json.load(file)
for modulus, signature, digest, good in rows:
    signature, digest = unhexlify(signature), unhexlify(digest)
    began = ticks_us()
    found = rsa.verify(modulus, signature, digest)
    took = ticks_diff(ticks_us(), began)
    assert found is good, modulus[:20]
    print("us", took)
