"""MQTT topics: `cn/v1/<node>/<leaf>`, and the gateways' own branch."""

from __future__ import annotations

from enum import StrEnum

from edge.model.errors import IdentityError
from edge.model.node import NodeId, is_node_id, node_id

ROOT = "cn/v1"


class Leaf(StrEnum):
    """The last level of a topic: what the message is."""

    BIRTH = "birth"
    DATA = "data"
    REPLAY = "replay"
    REPLY = "reply"
    DEATH = "death"
    ACK = "ack"
    CMD = "cmd"


UP_LEAVES = (Leaf.BIRTH, Leaf.DATA, Leaf.REPLAY, Leaf.REPLY, Leaf.DEATH)
DOWN_LEAVES = (Leaf.ACK, Leaf.CMD)


_LEAVES = {f"/{leaf}": leaf for leaf in Leaf}
_BEGIN = f"{ROOT}/"


def topic(node: NodeId | str, leaf: Leaf) -> str:
    """Return the topic of a node's leaf."""
    return f"{ROOT}/{node}/{leaf.value}"


def subscription(leaf: Leaf) -> str:
    """Return the filter that takes one leaf of every node."""
    return f"{ROOT}/+/{leaf.value}"


def parse_topic(text: str) -> tuple[NodeId, Leaf]:
    """Return node and leaf of a topic, or raise IdentityError."""
    at = text.rfind("/")
    leaf = _LEAVES.get(text[at:])
    if leaf is not None and text.startswith(_BEGIN) and is_node_id(found := text[len(_BEGIN) : at]):
        return NodeId(found), leaf
    levels = text.split("/")
    if len(levels) != 4 or f"{levels[0]}/{levels[1]}" != ROOT:
        raise IdentityError(f"not a node's topic: {text[:96]!r}", remedy=f"use {ROOT}/<node>/<leaf>")
    try:
        leaf = Leaf(levels[3])
    except ValueError:
        known = ", ".join(Leaf)
        raise IdentityError(f"unknown leaf in topic: {text[:96]!r}", remedy=f"one of {known}") from None
    return node_id(levels[2]), leaf


def gateway_topic(gateway: str, leaf: Leaf) -> str:
    """Return a topic of the gateways' own branch."""
    return f"cn-gw/v1/{gateway}/{leaf.value}"
