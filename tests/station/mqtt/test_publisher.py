"""MQTT with the real Mosquitto: what is told, what is told again, and what is never told."""

import logging
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genre_edge.errors import ParameterError
from genre_edge.station.mqtt import client as mqtt
from genre_edge.station.mqtt import home_assistant
from genre_edge.station.mqtt.client import Broker, Mqtt
from genre_edge.station.station import Station
from tests.helpers.mqtt import Ear, Mosquitto, free_port, real_mosquitto
from tests.helpers.station import HandFed, eventually, station

SECRET = "s3cret/p@ss"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    one = Mosquitto(tmp_path)
    yield one
    one.stop()


@pytest.fixture
def source() -> HandFed:
    return HandFed()


@pytest.fixture
def heard(source: HandFed) -> Iterator[Station]:
    one = station(source)
    one.start()
    yield one
    one.stop()
    assert one.join(20)


@pytest.fixture
def ear(broker: Mosquitto) -> Iterator[Ear]:
    one = Ear(broker.port)
    yield one
    one.close()


def told(station: Station, url: str) -> Mqtt:
    one = Mqtt(station, Broker.of_url(url))
    one.start()
    return one


@real_mosquitto
def test_what_is_heard_is_told_and_stays_on_the_broker(
    broker: Mosquitto, ear: Ear, heard: Station, source: HandFed
) -> None:
    teller = told(heard, f"mqtt://127.0.0.1:{broker.port}/house/music")
    eventually(lambda: ear.topics.get("house/music/availability") == "online")
    source.music(2)
    eventually(lambda: heard.status()["position_s"] == 2.0)
    eventually(lambda: ear.topics.get("house/music/verdict", {}).get("time") == (heard.verdict or {}).get("time", 0))
    told_verdict, verdict = ear.topics["house/music/verdict"], heard.verdict
    assert verdict is not None
    assert told_verdict["heard"] == (verdict["genre"] or verdict["reason"])
    assert told_verdict["confidence_percent"] == round(100 * verdict["confidence"], 1)
    assert told_verdict["genres"] == {one["genre"]: one["probability"] for one in verdict["genres"]}
    late = Ear(broker.port)
    topics = {f"house/music/{name}" for name in ("availability", "verdict", "health")}
    eventually(lambda: topics <= late.retained)
    assert late.topics["house/music/verdict"] == told_verdict
    assert sum(topic.startswith("homeassistant/") for topic in late.retained) >= 7
    late.close()
    teller.close()
    eventually(lambda: ear.topics["house/music/availability"] == "offline")


@real_mosquitto
def test_listening_or_not_is_told_when_it_changes(
    broker: Mosquitto, ear: Ear, heard: Station, source: HandFed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "_LOOK_S", 0.02)
    teller = told(heard, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: ear.topics.get("genre-edge/health", {}).get("listening") is False)
    source.music(1)
    eventually(lambda: ear.topics["genre-edge/health"]["listening"] is True)
    monkeypatch.setattr("genre_edge.station.station.FRESH_S", 0.0)
    eventually(lambda: ear.topics["genre-edge/health"]["listening"] is False)
    teller.close()


@real_mosquitto
def test_health_is_told_now_and_then(
    broker: Mosquitto, ear: Ear, heard: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "_LOOK_S", 0.02)
    monkeypatch.setattr(mqtt, "HEALTH_S", 0.05)
    teller = told(heard, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: sum(topic == "genre-edge/health" for topic, _ in ear.log) >= 4)
    assert ear.topics["genre-edge/health"]["memory_mb"] > 5
    teller.close()


@real_mosquitto
def test_a_broker_that_comes_back_is_told_all_that_counts(
    broker: Mosquitto, heard: Station, source: HandFed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    first = Ear(broker.port)
    teller = told(heard, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    source.music(2)
    eventually(lambda: first.topics.get("genre-edge/verdict"))
    before = first.topics["genre-edge/verdict"]
    first.close()
    broker.stop()
    eventually(lambda: "connection lost" in caplog.text)
    assert heard.status()["mqtt"] == "failing"
    source.music(2)
    eventually(lambda: heard.status()["position_s"] == 4.0)
    broker.start()
    again = Ear(broker.port)
    eventually(lambda: again.topics.get("genre-edge/availability") == "online", timeout_s=30)
    assert heard.verdict is not None and heard.verdict["time"] > before["time"]
    assert again.topics["genre-edge/verdict"]["time"] == heard.verdict["time"]
    assert again.topics["genre-edge/health"]["position_s"] == 4.0
    assert heard.status()["mqtt"] == "connected"
    assert any(topic.startswith("homeassistant/sensor/") for topic in again.topics)
    again.close()
    teller.close()
    states = [record.message.partition(": ")[2] for record in caplog.records if "MQTT" in record.message]
    assert states[0] == states[-1] == "connected" and len(states) <= 4


@real_mosquitto
def test_a_broker_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, heard: Station, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    teller = told(heard, f"mqtt://127.0.0.1:{port}/genre-edge")
    eventually(lambda: "cannot be reached" in caplog.text)
    late = Mosquitto(tmp_path, f"allow_anonymous true\nlistener {port} 127.0.0.1")
    ear = Ear(port)
    eventually(lambda: ear.topics.get("genre-edge/availability") == "online", timeout_s=30)
    teller.close()
    ear.close()
    late.stop()
    assert caplog.text.count("cannot be reached") == 1


@real_mosquitto
def test_the_last_will(broker: Mosquitto, ear: Ear, heard: Station) -> None:
    teller = told(heard, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: ear.topics.get("genre-edge/availability") == "online")
    teller._client._sock_close()  # as when the power fails
    eventually(lambda: ("genre-edge/availability", "offline") in ear.log)
    eventually(lambda: ear.topics["genre-edge/availability"] == "online", timeout_s=30)
    teller.close()


@real_mosquitto
@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="mosquitto_passwd is not installed")
def test_a_password_lets_in_and_is_told_nowhere(
    tmp_path: Path, heard: Station, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    subprocess.run(["mosquitto_passwd", "-b", "-c", tmp_path / "users", "ann", SECRET], check=True, capture_output=True)
    locked = Mosquitto(tmp_path, f"allow_anonymous false\npassword_file {tmp_path}/users")
    wrong = told(heard, f"mqtt://ann:wrong@127.0.0.1:{locked.port}/genre-edge")
    eventually(lambda: "refused: " in caplog.text)
    wrong.close()
    right = told(heard, f"mqtt://ann:s3cret%2Fp%40ss@127.0.0.1:{locked.port}/genre-edge")
    eventually(lambda: "connected" in caplog.text)
    ear = Ear(locked.port, "ann", SECRET)
    eventually(lambda: ear.topics.get("genre-edge/availability") == "online")
    right.close()
    ear.close()
    locked.stop()
    assert SECRET not in caplog.text and "s3cret" not in caplog.text + repr(right._broker) + str(right._broker)
    assert SECRET not in str(ear.log)


@real_mosquitto
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_tls_with_a_certificate_that_is_known(
    tmp_path: Path, heard: Station, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*request.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    port = free_port()
    secure = f"allow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}"
    broker = Mosquitto(tmp_path, secure)
    stranger = told(heard, f"mqtts://127.0.0.1:{port}/genre-edge")
    eventually(lambda: "cannot be reached" in caplog.text)
    stranger.close()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    teller, ear = told(heard, f"mqtts://127.0.0.1:{port}/genre-edge"), Ear(broker.port)
    eventually(lambda: ear.topics.get("genre-edge/availability") == "online")
    teller.close()
    ear.close()
    broker.stop()


def test_closing_while_the_broker_is_away_is_quick(heard: Station) -> None:
    teller = told(heard, f"mqtt://127.0.0.1:{free_port()}/genre-edge")
    teller.close()
    assert not teller._teller.is_alive() or teller._teller.join(5) is None
    assert heard.hub.subscribers == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", Broker("broker", 1883, False, "")),
        ("mqtts://broker", Broker("broker", 8883, True, "")),
        ("MQTT://Broker:99/a/b/", Broker("broker", 99, False, "a/b")),
        ("mqtt://u%40x:p%2Fw@[::1]:7/t%C3%A4", Broker("::1", 7, False, "tä", "u@x", "p/w")),
        ("mqtt://u@broker", Broker("broker", 1883, False, "", "u")),
    ],
)
def test_addresses(url: str, expected: Broker) -> None:
    assert Broker.of_url(url) == expected


def test_stations_of_several_machines_do_not_overwrite_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def topic(machine: str, url: str) -> str:
        (tmp_path / "machine-id").write_text(machine)
        monkeypatch.setattr(home_assistant, "_MACHINE_ID", tmp_path / "machine-id")
        broker = Broker.of_url(url)
        node, root = broker.node, broker.root
        assert all(f"/{node}/" in topic for topic in home_assistant.messages(node, root, ["low"], "tiny 1", True))
        return root

    own = {topic(machine, "mqtt://broker") for machine in ("a", "a", "b")}
    assert len(own) == 2 and all(re.fullmatch("genre-edge/genre_edge_[0-9a-f]{12}", root) for root in own)
    assert {topic(machine, "mqtt://broker/house/music") for machine in "ab"} == {"house/music"}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "broker",
        "http://u:s3cret@broker",
        "mqtt://",
        "mqtt://u:s3cret@",
        "mqtt://u:s3cret@broker:99999",
        "mqtt://u:s3cret@broker:0",
        "mqtt://u:s3cret/x@broker",
        "mqtt://u:s3cret@broker/\udcff",
        "mqtt://\udcff:s3cret@broker",
        "mqtt://u:s3cret@[broker",
        "mqtt://u:s3cret@" + "x" * 64 + ".org",
        "mqtt://u:s3cret@broker/a+b",
        "mqtt://u:s3cret@broker/a%23",
        "mqtt://u:s3cret@broker/%24SYS",
        "mqtt://u:s3cret@broker/a%00",
        "mqtt://u:s3cret@broker/" + "x" * 201,
        "mqtt://u:s3cret@broker/a?b",
        "mqtt://u:s3cret@broker/a#b",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Broker.of_url(url)
    assert "s3cret" not in str(caught.value)


def test_a_verdict_is_needed_for_telling_one(heard: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[Any] = []
    teller = Mqtt(heard, Broker("nowhere", 1, False, "p"))
    monkeypatch.setattr(teller, "_publish", lambda *message: published.append(message))
    teller._publish_verdict()
    assert published == []
