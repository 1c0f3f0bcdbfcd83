"""How stores are spoken to over HTTP: where each age of InfluxDB takes lines, and what its answers say."""

from __future__ import annotations

import json
from typing import Literal

Api = Literal["v1", "v2", "v3"]

# What a 400 or 422 says when the request is wrong and no line of it: whatever is written, it would be refused.
_ABOUT_THE_REQUEST = (
    "database is required",
    "invalid character in database name",
    "db name ",
    "database name ",
    "adding a new database would exceed",
)


def write_address(
    api: Api, url: str, *, database: str, organisation: str, bucket: str
) -> tuple[str, dict[str, str]]:
    """Return where lines with times in nanoseconds are posted, and with which parameters.

    v1: `/write` of 1.x, which 2.x and 3.x and VictoriaMetrics have too. v2: `/api/v2/write` of 2.x, 3.x and the
    embedded store. v3: `/api/v3/write_lp` of 3.x, where a batch is stored as a whole, on its disk, or not.
    Source: InfluxDB HTTP API of 1.x, 2.x and 3 Core.
    """
    base = url.rstrip("/")
    if api == "v1":
        return f"{base}/write", {"db": database, "precision": "ns"}
    if api == "v2":
        return f"{base}/api/v2/write", {"org": organisation, "bucket": bucket, "precision": "ns"}
    whole = {"accept_partial": "false", "no_sync": "false"}
    return f"{base}/api/v3/write_lp", {"db": database, "precision": "nanosecond", **whole}


def words_of(raw: bytes) -> str:
    """Return what an answer says, in the store's words.

    1.x: `{"error"}`; 2.x: `{"code", "message"}`; 3.x: `{"error", "data"}` with what is wrong with
    each line, of which the first counts; or plain text.
    """
    text = raw.decode(errors="replace").strip()
    try:
        answer = json.loads(text)
    except ValueError:
        return text[:2000]
    if not isinstance(answer, dict):
        return text[:2000]
    said = str(answer.get("message") or answer.get("error") or text)
    data = answer.get("data")
    first = data[0] if isinstance(data, list) and data else data
    if isinstance(first, dict) and first.get("error_message"):
        said = f"{said}: {first['error_message']}"
    return said[:2000]


def is_about_the_request(words: str) -> bool:
    """Return whether a refusal says nothing about lines: the name of the database is wrong, or one too many."""
    lowered = words.lower()
    return lowered.startswith(_ABOUT_THE_REQUEST) or ": adding a new database would exceed" in lowered
