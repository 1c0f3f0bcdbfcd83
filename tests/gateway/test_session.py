"""The MQTT session without a network: what it answers, what ends it, when it asks whether anybody is there."""

import pytest

from gateway.sources.session import (
    MAY_COME,
    Closed,
    Connected,
    Delivered,
    Event,
    Login,
    Message,
    Patience,
    Session,
    State,
    Subscribed,
)

WELCOME = b"\x20\x02\x01\x00"
GRANTED = b"\x90\x03\x00\x01\x01"
MESSAGE = b"\x32\x0c\x00\x05topic\x04\xd2row"
PING, PONG = b"\xc0\x00", b"\xd0\x00"
PATIENCE = Patience(keepalive_s=30, ping_every_s=15.0, answer_within_s=10.0)


def connecting() -> Session:
    """A session that has asked to be let in, at time 0."""
    session = Session(PATIENCE)
    session.connect(Login(client_id="cn-gw", username="gw", password="word"), 0.0)
    assert session.to_send().startswith(b"\x10")
    return session


def opened() -> Session:
    """A session that stands and is subscribed, at time 0."""
    session = connecting()
    assert hear(session, WELCOME) == [Connected(True)]
    session.subscribe(["cn/v1/+/data"], 0.0)
    session.to_send()
    assert hear(session, GRANTED) == [Subscribed((1,))]
    return session


def hear(session: Session, data: bytes, now_s: float = 0.0) -> list[Event]:
    """Give it bytes and return all that it makes of them."""
    session.receive(data, now_s)
    return session.events(1000)


def reason(events: list[Event]) -> str:
    """Return why a session was closed by these events."""
    assert isinstance(events[-1], Closed)
    return events[-1].reason


def test_a_message_is_acknowledged_when_told_and_not_before() -> None:
    session = opened()
    (message,) = hear(session, MESSAGE)
    assert isinstance(message, Message)
    assert (message.topic, message.payload, message.mid) == ("topic", b"row", 1234)
    assert session.to_send() == b""
    session.ack([1234, 5])
    assert session.to_send() == b"\x40\x02\x04\xd2\x40\x02\x00\x05"


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_a_refusal_says_why(code: int) -> None:
    session = connecting()
    (closed,) = hear(session, bytes([0x20, 2, 0, code]))
    assert isinstance(closed, Closed)
    assert closed.refused
    assert session.state is State.CLOSED


@pytest.mark.parametrize("early", [MESSAGE, GRANTED, PONG])
def test_nothing_may_come_before_the_welcome(early: bytes) -> None:
    assert "MQTT-3.2.0-1" in reason(hear(connecting(), early))


def test_a_second_welcome_ends_it() -> None:
    assert "MQTT-3.2.0-2" in reason(hear(opened(), WELCOME))


def test_a_refused_subscription_is_named() -> None:
    session = connecting()
    hear(session, WELCOME)
    session.subscribe(["a/+", "b/+"], 0.0)
    events = hear(session, b"\x90\x04\x00\x01\x01\x80")
    assert reason(events) == "no subscription to b/+"


@pytest.mark.parametrize("answer", ["9003000201", "900400010101"])
def test_an_answer_to_another_subscription_ends_it(answer: str) -> None:
    session = connecting()
    hear(session, WELCOME)
    session.subscribe(["a/+"], 0.0)
    assert "MQTT-3.8.4-2" in reason(hear(session, bytes.fromhex(answer)))


def test_what_came_before_an_error_is_heard_and_nothing_after_it() -> None:
    session = opened()
    events = hear(session, MESSAGE + b"\xf0\x00" + MESSAGE)
    assert [type(event) for event in events] == [Message, Closed]
    assert hear(session, MESSAGE) == []


def test_a_message_of_qos_2_ends_it_and_is_not_taken() -> None:
    session = opened()
    events = hear(session, MESSAGE + b"\x34" + MESSAGE[1:])
    assert [type(event) for event in events] == [Message, Closed]
    assert "QoS 2" in reason(events)


def test_each_message_of_qos_1_is_delivered_once_when_the_broker_says_so() -> None:
    session = opened()
    first, second = session.deliver("a", b"x"), session.deliver("a", b"y")
    assert first != second and session.to_send().count(b"\x32") == 2
    answer = b"\x40\x02" + second.to_bytes(2, "big")
    assert hear(session, answer) == [Delivered(second)]
    assert hear(session, answer) == []
    assert hear(session, b"\x40\x02" + first.to_bytes(2, "big")) == [Delivered(first)]


def test_an_identifier_in_use_is_not_given_again() -> None:
    session = opened()
    old = session.deliver("a", b"")
    given = {session.deliver("a", b"") for _ in range(60_000)}
    for mid in given:
        hear(session, b"\x40\x02" + mid.to_bytes(2, "big"))
    later = [session.deliver("a", b"") for _ in range(10_000)]
    assert len(given) == 60_000 and len(set(later)) == 10_000
    assert old not in given and old not in later and 0 not in given | set(later)


def test_a_stray_acknowledgement_does_no_harm() -> None:
    session = opened()
    assert hear(session, b"\x40\x02\x00\x01" + PONG) == []
    assert session.state is State.OPEN


def test_it_asks_whether_the_broker_is_there_and_stays_when_it_answers() -> None:
    session = opened()
    for now_s in (15.0, 30.0, 45.0):
        assert session.tick(now_s - 0.1, reading=True) is None
        assert session.to_send() == b""
        assert session.tick(now_s, reading=True) is None
        assert session.to_send() == PING
        assert hear(session, PONG, now_s + 1) == []


def test_a_broker_that_does_not_answer_is_left() -> None:
    session = opened()
    session.tick(15.0, reading=True)
    assert session.tick(25.0, reading=True) is None
    assert session.tick(25.1, reading=True) == Closed("no PINGRESP within 10 s")


def test_a_broker_whose_messages_keep_its_answer_waiting_is_not_left() -> None:
    session = opened()
    session.tick(15.0, reading=True)
    hear(session, MESSAGE, 24.0)
    assert session.tick(33.0, reading=True) is None


def test_an_answer_that_is_not_read_on_purpose_is_not_late() -> None:
    session = opened()
    session.tick(15.0, reading=True)
    assert session.tick(100.0, reading=False) is None
    assert session.tick(109.0, reading=True) is None
    assert session.tick(111.0, reading=True) == Closed("no PINGRESP within 10 s")


def test_a_broker_that_never_welcomes_is_left() -> None:
    session = connecting()
    assert session.tick(10.0, reading=True) is None
    assert session.tick(10.1, reading=True) == Closed("no CONNACK within 10 s")
    assert session.to_send() == b""


def test_a_broker_that_never_subscribes_us_is_left() -> None:
    session = connecting()
    hear(session, WELCOME)
    session.subscribe(["a/+"], 0.0)
    assert session.tick(10.1, reading=True) == Closed("no SUBACK within 10 s")


def test_good_bye_is_said_once_and_then_nothing() -> None:
    session = opened()
    session.disconnect()
    session.publish("topic", b"late")
    session.ack([1])
    session.disconnect()
    assert session.to_send() == b"\xe0\x00"


def test_every_state_says_what_may_come() -> None:
    assert set(MAY_COME) == set(State)
