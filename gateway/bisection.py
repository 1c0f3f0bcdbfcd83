"""Bisection: which lines of a batch a store refuses, found with few requests, while the others are stored."""

from __future__ import annotations

from gateway.sinks import Sink, SinkRejected


async def bisect(sink: Sink, body: bytes) -> dict[int, str]:
    """Write lines; return the index and the store's words of each that it refuses.

    One bad line among n costs at most 2 log2(n) + 1 requests. Lines already stored may be written again:
    the store merges them.
    """
    refused: dict[int, str] = {}
    lines: list[bytes] = []
    spans = [(0, body.count(b"\n") + 1)]
    while spans:
        first, end = spans.pop()
        try:
            await sink.write(b"\n".join(lines[first:end]) if lines else body)
        except SinkRejected as error:
            lines = lines or body.split(b"\n")
            if end - first == 1:
                refused[first] = error.message
            else:
                middle = (first + end) // 2
                spans += [(middle, end), (first, middle)]
    return refused
