"""The roster: which nodes this gateway takes readings from, and the tags that their readings carry."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from edge.model.errors import ConfigError
from edge.model.node import Node, node_id


class Roster:
    """Registered nodes by id. With `admit_any`, a stranger is taken in under the district given."""

    def __init__(self, nodes: Iterable[Node] = (), *, admit_any: bool = False, district: str = "city") -> None:
        self._nodes: dict[str, Node] = {node.id: node for node in nodes}
        self._fixed = dict(self._nodes) if admit_any else self._nodes
        self._admit_any = admit_any
        self._district = district

    def __len__(self) -> int:
        return len(self._nodes)

    def find(self, node: str, kind: str = "") -> Node | None:
        """Return the registered node, or None. A stranger gets in only with `admit_any` and a known kind."""
        found = self._nodes.get(node)
        if found is None and self._admit_any and kind:
            found = Node(
                id=node_id(node), kind=kind, label_en=node, label_zh=node, site=node, district=self._district
            )
            self._nodes[node] = found
        return found

    def nodes(self, gateway: str) -> list[str]:
        """Return the registered nodes that belong to this gateway, or to every one."""
        return [node.id for node in self._nodes.values() if node.gateway in (None, gateway)]

    def replace(self, nodes: Iterable[Node]) -> None:
        """Take the cloud's list; nodes of the configuration stay."""
        self._nodes = {node.id: node for node in nodes} | self._fixed


def nodes_from_file(path: Path) -> list[Node]:
    """Read {"nodes": [...]} as the HTTP API writes it. Raises ConfigError naming file and node."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["nodes"]
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", remedy="see [nodes] file") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'{path} is not {{"nodes": [...]}}: {error!r}') from None
    return [Node.from_dict(row) for row in rows]
