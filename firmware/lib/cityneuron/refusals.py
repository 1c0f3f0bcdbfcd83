"""Why a broker lets nobody in: the codes of its answer (MQTT 3.1.1, 3.2.2.3), and what to do."""

_REFUSALS = {
    1: ("the broker speaks no MQTT 3.1.1", "use another broker"),
    2: ("the broker refuses this client id", "is the node's id right?"),
    3: ("the broker is not available", "wait; look at the broker's log"),
    4: ("wrong user name or password", "provision the node again"),
    5: ("the broker does not let this node in", "is the node registered? is its certificate valid?"),
}


def of(code):
    """Return (what is wrong, what to do)."""
    return _REFUSALS.get(code, ("the broker refuses: %d" % code, ""))
