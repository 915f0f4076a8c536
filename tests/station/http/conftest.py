"""Fixtures: a station with 4 s of audio, clients of its application, and a server."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from genre_edge.station.http.app import create_app
from genre_edge.station.http.middleware.host import AllowedHosts
from genre_edge.station.http.middleware.token import Token
from genre_edge.station.station import Station
from tests.helpers.server import RunningServer
from tests.helpers.station import station_after_audio

TOKEN = "correct-horse-battery"
ALLOWED_HOSTS = AllowedHosts(frozenset(["testserver", "localhost"]))


@pytest.fixture
def station() -> Iterator[Station]:
    """A station that has processed 4 s of audio and still runs."""
    with station_after_audio(4.0) as station:
        yield station


@pytest.fixture
def client(station: Station) -> Iterator[TestClient]:
    """A client of the application without a token, with allowed hosts."""
    with TestClient(create_app(station, None, ALLOWED_HOSTS)) as client:
        yield client


@pytest.fixture
def token_client(station: Station) -> Iterator[TestClient]:
    """A client of the application that requires `TOKEN`."""
    with TestClient(create_app(station, Token(TOKEN), None), follow_redirects=False) as client:
        yield client


@pytest.fixture
def running() -> Iterator[RunningServer]:
    """A station behind a server on a loopback port."""
    running = RunningServer()
    yield running
    running.stop()
