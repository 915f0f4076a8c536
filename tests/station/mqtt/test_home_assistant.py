"""Home Assistant discovery: messages that are valid by its documentation and match the published topics."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from genre_edge.classify.verdict import Reason
from genre_edge.station.mqtt import home_assistant
from genre_edge.station.mqtt.broker_address import BrokerAddress
from genre_edge.station.mqtt.client import BrokerClient
from genre_edge.station.mqtt.publisher import MqttPublisher
from tests.helpers.bundles import DATA
from tests.helpers.station import QueueSource, make_station, make_verdict

SCHEMA = json.loads((DATA / "home_assistant.schema.json").read_text())
LABELS = ["blues", "classical"]
TOPIC = re.compile(r"homeassistant/(sensor|binary_sensor)/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config")


def validate(content: dict[str, Any], component: str) -> None:
    jsonschema.Draft202012Validator({"$ref": f"#/$defs/{component}", "$defs": SCHEMA["$defs"]}).validate(content)


def entities(prefix: str = "genre-edge", has_temperature: bool = True) -> dict[str, dict[str, Any]]:
    node = home_assistant.node_id(prefix)
    return home_assistant.discovery_messages(node, prefix, LABELS, "edge 2", has_temperature)


def test_messages_valid() -> None:
    """Each message has the documented schema; ids are unique and the device is the same."""
    messages = entities()
    assert len(messages) == 8
    for topic, content in messages.items():
        match = TOPIC.fullmatch(topic)
        assert match
        validate(content, match[1])
    ids = [content["unique_id"] for content in messages.values()]
    assert len(set(ids)) == len(ids)
    assert len({json.dumps(content["device"]) for content in messages.values()}) == 1


@pytest.mark.parametrize(
    ("entity", "change"),
    [
        ("genre", {"state_class": "measurement"}),
        ("genre", {"options": []}),
        ("confidence", {"options": ["a"]}),
        ("confidence", {"unit": "%"}),
        ("lag", {"unit_of_measurement": "fortnights"}),
        ("lag", {"device": {"name": "without identifiers"}}),
        ("listening", {"state_class": "measurement"}),
        ("listening", {"state_topic": "a/+"}),
    ],
)
def test_schema_rejects(entity: str, change: dict[str, Any]) -> None:
    """The schema of these tests rejects what the documentation excludes."""
    topic, content = next((t, c) for t, c in entities().items() if t.endswith(f"/{entity}/config"))
    with pytest.raises(jsonschema.ValidationError):
        validate(content | change, topic.split("/")[1])


def test_node_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are constant, differ by prefix and machine, and do not disclose the machine id."""
    machine = tmp_path / "machine-id"
    monkeypatch.setattr(home_assistant, "_MACHINE_ID", machine)
    without = home_assistant.node_id("a")
    assert without == home_assistant.node_id("a") != home_assistant.node_id("b")
    machine.write_text("0123456789abcdef0123456789abcdef\n")
    one = home_assistant.node_id("a")
    machine.write_text("fedcba98765432100123456789abcdef\n")
    assert len({without, one, home_assistant.node_id("a")}) == 3
    assert "fedcba98" not in json.dumps(entities())


def test_no_temperature_sensor() -> None:
    """A machine without a temperature sensor has no temperature entity."""
    names = {topic.split("/")[3] for topic in entities()} - {topic.split("/")[3] for topic in entities("p", False)}
    assert names == {"temperature"}


def published(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Return the verdict and health messages of a station, by topic."""
    station = make_station(QueueSource())
    station.verdict = make_verdict(1e9, None, "silence")
    client = BrokerClient(BrokerAddress("nowhere", 1, False, "genre-edge"))
    messages: dict[str, dict[str, Any]] = {}
    monkeypatch.setattr(client, "publish", lambda name, content: messages.update({f"genre-edge/{name}": content}))
    publisher = MqttPublisher(station, client)
    publisher._publish_verdict()
    publisher._publish_health()
    return messages


def test_templates_match_payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each template reads a key that is published to its topic."""
    messages = published(monkeypatch)
    checked = 0
    for content in entities().values():
        references = [(content["state_topic"], content["value_template"])]
        references += [(a["topic"], a["value_template"]) for a in content["availability"] if "value_template" in a]
        for topic, template in references:
            (name,) = re.findall(r"value_json\.(\w+)", template)
            assert name in messages[topic]
            checked += 1
    assert checked >= 10


def test_genre_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """The options of the genre entity are all labels and all reasons."""
    (genre,) = (content for topic, content in entities().items() if topic.endswith("/genre/config"))
    assert set(genre["options"]) == {*LABELS, *get_args(Reason)}
    assert published(monkeypatch)["genre-edge/verdict"]["heard"] == "silence"
