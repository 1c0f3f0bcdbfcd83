"""The last errors of a node, in RAM: for nodes that run without operations."""


class Troubles:
    """One that happens again moves up."""

    def __init__(self, most=8):
        self._most = most
        self._rows = []

    def note(self, stage, text, remedy=""):
        row = {"stage": stage, "text": text, "remedy": remedy}
        if row in self._rows:
            self._rows.remove(row)
        self._rows.append(row)
        del self._rows[: -self._most]

    def last(self, most=5):
        return self._rows[: -most - 1 : -1]
