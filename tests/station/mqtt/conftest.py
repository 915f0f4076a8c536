"""Fixtures: a Mosquitto broker, a subscriber to all of its topics, and a running station."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from genre_edge.station.mqtt import client
from genre_edge.station.station import Station
from tests.conftest import TIMEOUT_S
from tests.helpers.mqtt import Mosquitto, MqttSubscriber
from tests.helpers.station import QueueSource, make_station


@pytest.fixture(autouse=True)
def fast_reconnect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry after 50 ms instead of 1 s."""
    monkeypatch.setattr(client, "_MIN_RECONNECT_S", 0.05)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    yield broker
    broker.stop()


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[MqttSubscriber]:
    subscriber = MqttSubscriber(broker.port)
    yield subscriber
    subscriber.close()


@pytest.fixture
def source() -> QueueSource:
    return QueueSource()


@pytest.fixture
def station(source: QueueSource) -> Iterator[Station]:
    """A station that classifies `source`."""
    station = make_station(source)
    station.start()
    yield station
    station.stop()
    assert station.join(TIMEOUT_S)
