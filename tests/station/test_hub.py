"""Hub: delivery by kind, bounded queues, and the server-sent events format."""

from genre_edge.station import hub as hub_module
from genre_edge.station.hub import Event, Hub


def ignore() -> None:
    """Notification callback of a subscriber that does not react."""


def test_publish_by_kind() -> None:
    """Each subscriber receives the events of its kinds in order, until it unsubscribes."""
    hub = Hub()
    notified: list[str] = []
    both = hub.subscribe({"a", "b"}, lambda: notified.append("both"))
    only_b = hub.subscribe({"b"}, lambda: notified.append("only b"))
    events = [Event(kind, {"n": n}) for n, kind in enumerate("aba")]
    for event in events:
        hub.publish(event)
    assert both.drain() == events and only_b.drain() == [events[1]] and both.drain() == []
    assert notified == ["both", "both", "only b", "both"] and hub.subscribers == 2
    only_b.close()
    only_b.close()
    hub.publish(events[1])
    assert only_b.drain() == [] and both.drain() == [events[1]] and hub.subscribers == 1


def test_slow_subscriber_loses_oldest() -> None:
    """A slow subscriber loses the oldest events, a fast one none; all losses are counted."""
    hub = Hub()
    slow, fast = hub.subscribe({"a"}, ignore), hub.subscribe({"a"}, ignore)
    for n in range(hub_module.QUEUE_SIZE + 10):
        hub.publish(Event("a", {"n": n}))
        assert [event.data["n"] for event in fast.drain()] == [n]
    assert [event.data["n"] for event in slow.drain()] == list(range(10, hub_module.QUEUE_SIZE + 10))
    assert (slow.lost, fast.lost, hub.lost) == (10, 0, 10)
    slow.close()
    assert hub.lost == 10


def test_event_sse() -> None:
    """An event is one line of JSON."""
    assert Event("a", {"x": "1\n2"}).sse == b'event: a\ndata: {"x": "1\\n2"}\n\n'
