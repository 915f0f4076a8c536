"""From the thread that listens to all that want to know: bounded, and nobody is waited for."""

import json
import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

ROOM = 64  # events that one subscriber may be behind


@dataclass(frozen=True)
class Event:
    """What happened: `kind` is verdict, frames or status; `data` is ready for JSON."""

    kind: str
    data: dict[str, Any]

    @cached_property
    def text(self) -> bytes:
        """As a server-sent event; made once for all who want it."""
        return f"event: {self.kind}\ndata: {json.dumps(self.data, allow_nan=False)}\n\n".encode()


class Subscription:
    """One subscriber's queue. The oldest events make room for new ones, and are counted in `lost`."""

    def __init__(self, hub: "Hub", kinds: Collection[str], wake: Callable[[], None]) -> None:
        self._hub, self.kinds, self._wake = hub, kinds, wake
        self._events: deque[Event] = deque(maxlen=ROOM)
        self._lock = threading.Lock()
        self.lost = 0

    def put(self, event: Event) -> None:
        """Called by the hub."""
        with self._lock:
            self.lost += len(self._events) == ROOM
            self._events.append(event)
        self._wake()

    def take(self) -> list[Event]:
        """What came since the last call, oldest first."""
        with self._lock:
            events = list(self._events)
            self._events.clear()
        return events

    def close(self) -> None:
        """No more events; allowed twice."""
        self._hub.leave(self)


class Hub:
    """Gives each event to all who subscribed to its kind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()
        self._lost = 0  # by those who have left

    def subscribe(self, kinds: Collection[str], wake: Callable[[], None]) -> Subscription:
        """Events of these kinds from now on. `wake` is called after each, in the thread that published it: it must
        neither wait nor raise."""
        subscription = Subscription(self, kinds, wake)
        with self._lock:
            self._subscriptions += (subscription,)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """End a subscription."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions = tuple(one for one in self._subscriptions if one is not subscription)
                self._lost += subscription.lost

    def publish(self, event: Event) -> None:
        """Give an event to all who want it."""
        for subscription in self._subscriptions:
            if event.kind in subscription.kinds:
                subscription.put(event)

    @property
    def subscribers(self) -> int:
        """How many there are."""
        return len(self._subscriptions)

    @property
    def lost(self) -> int:
        """Events that subscribers were too slow for, all together."""
        with self._lock:
            return self._lost + sum(one.lost for one in self._subscriptions)
