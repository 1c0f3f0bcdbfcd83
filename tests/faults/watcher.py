"""The account as `cityneuron ledger --json` reads it from the journal, as often as asked.

`python -m faults.watcher JOURNAL`: every line on standard input is answered with one line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gateway.database import JournalError
from gateway.statement import ledger_document, read_accounts

if __name__ == "__main__":
    for _ in sys.stdin:
        try:
            print(json.dumps(ledger_document(read_accounts(Path(sys.argv[1])))), flush=True)
        except JournalError as error:  # not made yet
            print(json.dumps({"error": str(error), "nodes": []}), flush=True)
