"""Non-blocking publish/subscribe between threads: each subscriber has a bounded queue, and slow ones lose events."""

import json
import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

QUEUE_SIZE = 64  # events queued for one subscriber


@dataclass(frozen=True)
class Event:
    """Published event.

    Attributes:
        kind: "verdict", "frames", "status" or "end".
        data: content that json.dumps accepts.
    """

    kind: str
    data: dict[str, Any]

    @cached_property
    def sse(self) -> bytes:
        """The event in server-sent events format, encoded once for all subscribers.

        https://html.spec.whatwg.org/multipage/server-sent-events.html
        """
        return f"event: {self.kind}\ndata: {json.dumps(self.data, allow_nan=False)}\n\n".encode()


class Subscription:
    """Queue of one subscriber, with at most `QUEUE_SIZE` events. When it is full, the oldest event is discarded.

    Attributes:
        kinds: the kinds of events subscribed to.
        lost: number of discarded events.
    """

    def __init__(self, hub: "Hub", kinds: Collection[str], notify: Callable[[], None]) -> None:
        self._hub, self.kinds, self._notify = hub, kinds, notify
        self._events: deque[Event] = deque(maxlen=QUEUE_SIZE)
        self._lock = threading.Lock()
        self.lost = 0

    def put(self, event: Event) -> None:
        """Queue an event and notify the subscriber. Called by the hub."""
        with self._lock:
            self.lost += len(self._events) == QUEUE_SIZE
            self._events.append(event)
        self._notify()

    def drain(self) -> list[Event]:
        """Remove and return all queued events, oldest first."""
        with self._lock:
            events = list(self._events)
            self._events.clear()
        return events

    def close(self) -> None:
        """Unsubscribe; a second call does nothing."""
        self._hub.unsubscribe(self)


class Hub:
    """Publish/subscribe hub that delivers each event to the subscribers of its kind. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()
        self._lost = 0  # events lost by closed subscriptions

    def subscribe(self, kinds: Collection[str], notify: Callable[[], None]) -> Subscription:
        """Subscribe to events of these kinds.

        Args:
            kinds: kinds of events.
            notify: called after each event is queued, in the publishing thread; must neither block nor raise.
        """
        subscription = Subscription(self, kinds, notify)
        with self._lock:
            self._subscriptions += (subscription,)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a subscription; a second call has no effect."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions = tuple(other for other in self._subscriptions if other is not subscription)
                self._lost += subscription.lost

    def publish(self, event: Event) -> None:
        """Queue an event for each subscriber of its kind; does not block."""
        for subscription in self._subscriptions:
            if event.kind in subscription.kinds:
                subscription.put(event)

    @property
    def subscribers(self) -> int:
        """Number of subscriptions."""
        return len(self._subscriptions)

    @property
    def lost(self) -> int:
        """Number of events lost by all subscribers, closed subscriptions included."""
        with self._lock:
            return self._lost + sum(subscription.lost for subscription in self._subscriptions)
