"""BrokerClient with a real Mosquitto: authentication, TLS, last will, reconnection."""

import logging
import shutil
import subprocess
from pathlib import Path

import pytest

from genre_edge.station.station import Station
from tests.conftest import TIMEOUT_S
from tests.helpers.mqtt import Mosquitto, MqttSubscriber, free_port, requires_mosquitto, start_publisher
from tests.helpers.station import QueueSource, eventually

PASSWORD = "s3cret/p@ss"


@requires_mosquitto
def test_reconnect_publishes_everything(
    broker: Mosquitto, station: Station, source: QueueSource, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that restarts without its retained messages receives all current values again."""
    caplog.set_level(logging.WARNING)
    first = MqttSubscriber(broker.port)
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    source.feed_music(2)
    eventually(lambda: first.topics.get("genre-edge/verdict"))
    before = first.topics["genre-edge/verdict"]
    first.close()
    broker.stop()
    eventually(lambda: "connection lost" in caplog.text)
    assert station.status()["mqtt"] == "failing"
    source.feed_music(2)
    eventually(lambda: station.status()["position_s"] == 4.0)
    broker.start()
    second = MqttSubscriber(broker.port)
    eventually(lambda: second.topics.get("genre-edge/availability") == "online")
    assert station.verdict is not None and station.verdict["time"] > before["time"]
    eventually(lambda: second.topics["genre-edge/verdict"]["time"] == (station.verdict or {})["time"])
    assert second.topics["genre-edge/health"]["position_s"] == 4.0
    assert station.status()["mqtt"] == "connected"
    eventually(lambda: any(topic.startswith("homeassistant/device/") for topic in second.topics))
    second.close()
    publisher.close()
    states = [record.message.partition(": ")[2] for record in caplog.records if "MQTT" in record.message]
    assert states[0] == states[-1] == "connected" and len(states) <= 4


@requires_mosquitto
def test_broker_starts_later(tmp_path: Path, station: Station, caplog: pytest.LogCaptureFixture) -> None:
    """Until a broker is reachable, one warning is logged and the connection is retried."""
    port = free_port()
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{port}/genre-edge")
    eventually(lambda: "cannot be reached" in caplog.text)
    assert station.status()["mqtt"] == "failing"
    broker = Mosquitto(tmp_path, f"allow_anonymous true\nlistener {port} 127.0.0.1")
    subscriber = MqttSubscriber(port)
    eventually(lambda: subscriber.topics.get("genre-edge/availability") == "online")
    publisher.close()
    subscriber.close()
    broker.stop()
    assert caplog.text.count("cannot be reached") == 1


@requires_mosquitto
def test_last_will(broker: Mosquitto, subscriber: MqttSubscriber, station: Station) -> None:
    """A lost connection, as in a power failure, makes the broker publish `offline`."""
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: subscriber.topics.get("genre-edge/availability") == "online")
    publisher._client._client._sock_close()
    eventually(lambda: ("genre-edge/availability", "offline") in subscriber.log)
    eventually(lambda: subscriber.topics["genre-edge/availability"] == "online")
    publisher.close()


@requires_mosquitto
@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="mosquitto_passwd is not installed")
def test_password(tmp_path: Path, station: Station, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong password is refused, the right one is accepted, and neither is logged or published."""
    caplog.set_level(logging.DEBUG)
    users = tmp_path / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", users, "ann", PASSWORD], check=True, capture_output=True)
    broker = Mosquitto(tmp_path, f"allow_anonymous false\npassword_file {users}")
    wrong = start_publisher(station, f"mqtt://ann:wrong@127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: "refused: " in caplog.text)
    wrong.close()
    right = start_publisher(station, f"mqtt://ann:s3cret%2Fp%40ss@127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: "connected" in caplog.text)
    subscriber = MqttSubscriber(broker.port, "ann", PASSWORD)
    eventually(lambda: subscriber.topics.get("genre-edge/availability") == "online")
    right.close()
    subscriber.close()
    broker.stop()
    assert PASSWORD not in caplog.text and "s3cret" not in caplog.text
    assert PASSWORD not in str(subscriber.log)


@requires_mosquitto
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_tls(
    tmp_path: Path, station: Station, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A certificate of an unknown authority is refused, a trusted one is accepted."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    request += " -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*request.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    port = free_port()
    tls_listener = f"allow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}"
    broker = Mosquitto(tmp_path, tls_listener)
    untrusting = start_publisher(station, f"mqtts://127.0.0.1:{port}/genre-edge")
    eventually(lambda: "cannot be reached" in caplog.text)
    untrusting.close()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusting, subscriber = start_publisher(station, f"mqtts://127.0.0.1:{port}/genre-edge"), MqttSubscriber(broker.port)
    eventually(lambda: subscriber.topics.get("genre-edge/availability") == "online")
    trusting.close()
    subscriber.close()
    broker.stop()


def test_close_without_broker(station: Station) -> None:
    """Closing an unconnected publisher ends its thread and its subscription."""
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{free_port()}/genre-edge")
    publisher.close()
    publisher._thread.join(TIMEOUT_S)
    assert not publisher._thread.is_alive() and station.hub.subscribers == 0
