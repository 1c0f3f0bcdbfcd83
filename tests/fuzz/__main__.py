"""`make fuzz`: hostile inputs against every decoder that takes bytes from outside. Exit code 1 on a finding."""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from fuzz.run import Tally, fuzz
from fuzz.targets import FOREIGN, TARGETS

SHOWN = 6


def main() -> int:
    """Try all targets, or one input again, and print what became of the inputs."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many, over all targets")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same inputs")
    every = [*TARGETS, *FOREIGN]
    parser.add_argument("--target", choices=[target.name for target in every], help="only this one")
    parser.add_argument("--foreign", action="store_true", help="foreign protocols, as many inputs to each")
    parser.add_argument("--hex", type=bytes.fromhex, help="only this input, of the --target")
    options = parser.parse_args()
    chosen = FOREIGN if options.foreign else TARGETS
    targets = [target for target in every if options.target == target.name] or list(chosen)
    if options.hex is not None:
        if options.target is None:
            parser.error("--hex needs a --target")
        print(targets[0].judge(options.hex))  # a finding comes as its traceback
        return 0
    began_s = time.monotonic()
    inputs = options.inputs if options.foreign else options.inputs // len(targets)
    tallies = {target.name: fuzz(target, inputs, options.seed) for target in targets}
    for name, tally in tallies.items():
        _show(name, tally)
    found = [tally.finding for tally in tallies.values() if tally.finding]
    inputs = sum(tally.inputs for tally in tallies.values())
    outcomes = sum(len(tally.outcomes) for tally in tallies.values())
    print(
        f"{inputs:,} inputs in {time.monotonic() - began_s:.0f} s, {outcomes} outcomes, {len(found)} findings"
    )
    for finding in found:
        print(f"\nFOUND {finding.target}: {finding.error!r}")
        print(f"  input  {finding.payload.hex()}\n  again  {finding.command}", flush=True)
        traceback.print_exception(finding.error, file=sys.stderr)
    return 1 if found else 0


def _show(name: str, tally: Tally) -> None:
    rate = tally.inputs / max(tally.seconds, 1e-9)
    print(
        f"{name:8} {tally.inputs:9,} inputs, {tally.accepted:,} accepted, {len(tally.outcomes)} outcomes;"
        f" {rate:,.0f} a second, the slowest {tally.slowest_s * 1000:.0f} ms"
    )
    for outcome, count in tally.outcomes.most_common(SHOWN):
        print(f"    {count:9,}  {outcome[:90]}")


if __name__ == "__main__":
    sys.exit(main())
