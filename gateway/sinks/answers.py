"""What a store's answer to a write means: stored, these lines never, or all of it later."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from edge.protocol.store_http import is_about_the_request, words_of
from gateway.sinks import SinkRejected, SinkUnavailable

LONGEST_WAIT_S = 300.0
_REMEDIES = {
    200: "only 204 says that lines are stored: does the url lead to a store?",
    401: "check the token or the user and password",
    403: "give the token or user write access to the database or bucket",
    404: "create the database or bucket, or check its name and `api`; `cityneuron store check` tells",
    429: "readings are kept; the store asks for patience",
}


def judge(status: int, raw: bytes, retry_after: str | None, url: str) -> None:
    """Return if the lines are stored, or raise SinkRejected or SinkUnavailable.

    400 and 422 are about lines unless their words are about the request; 413 is about their number, and so is
    the 500 of 3.x that speaks of the largest request. All else is about the store or the way to it, and says
    nothing against the lines: a 200 too, which is what something that is no store says. Source: InfluxDB HTTP
    API of 1.x, 2.x and 3 Core.
    """
    if status == 204:
        return
    words = words_of(raw)
    too_large = status == 413 or (status == 500 and words.startswith("max request size"))
    if too_large or (status in (400, 422) and not is_about_the_request(words)):
        raise SinkRejected(f"{status}: {words or 'no words'}")
    raise SinkUnavailable(
        f"the store {url} answers {status}: {words[:200]}",
        remedy=_REMEDIES.get(status, "readings are kept; the store's own log says more"),
        retry_after_s=_seconds(retry_after),
    )


def _seconds(retry_after: str | None) -> float | None:
    """Return what Retry-After asks for, in seconds or as a date (RFC 9110, 10.2.3), five minutes at most."""
    if not retry_after:
        return None
    try:
        wait_s = float(retry_after)
    except ValueError:
        try:
            wait_s = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(wait_s, LONGEST_WAIT_S) if wait_s > 0 else None
