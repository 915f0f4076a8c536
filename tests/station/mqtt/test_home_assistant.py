"""Home Assistant discovery: valid by its documentation, the same at every start, and true to what is published."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from genre_edge.classify.verdict import Reason
from genre_edge.station.mqtt.client import Broker, Mqtt
from genre_edge.station.mqtt.client import home_assistant as discovery
from tests.helpers.bundles import DATA
from tests.helpers.station import HandFed, station, verdict

SCHEMA = json.loads((DATA / "home_assistant.schema.json").read_text())
LABELS = ["blues", "classical"]
TOPIC = re.compile(r"homeassistant/(sensor|binary_sensor)/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config")


def validate(content: dict[str, Any], component: str) -> None:
    jsonschema.Draft202012Validator({"$ref": f"#/$defs/{component}", "$defs": SCHEMA["$defs"]}).validate(content)


def entities(prefix: str = "genre-edge", has_temperature: bool = True) -> dict[str, dict[str, Any]]:
    return discovery.messages(discovery.node_id(prefix), prefix, LABELS, "edge 2", has_temperature)


def test_every_message_is_valid() -> None:
    found = entities()
    assert len(found) == 8
    for topic, content in found.items():
        match = TOPIC.fullmatch(topic)
        assert match
        validate(content, match[1])
    ids = [content["unique_id"] for content in found.values()]
    assert len(set(ids)) == len(ids)
    assert len({json.dumps(content["device"]) for content in found.values()}) == 1


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
def test_the_schema_refuses_what_the_documentation_does(entity: str, change: dict[str, Any]) -> None:
    topic, content = next((t, c) for t, c in entities().items() if t.endswith(f"/{entity}/config"))
    with pytest.raises(jsonschema.ValidationError):
        validate(content | change, topic.split("/")[1])


def test_ids_last_and_differ_by_prefix_and_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = tmp_path / "machine-id"
    monkeypatch.setattr(discovery, "_MACHINE_ID", machine)
    without = discovery.node_id("a")
    assert without == discovery.node_id("a") != discovery.node_id("b")
    machine.write_text("0123456789abcdef0123456789abcdef\n")
    one = discovery.node_id("a")
    machine.write_text("fedcba98765432100123456789abcdef\n")
    assert len({without, one, discovery.node_id("a")}) == 3
    assert "fedcba98" not in json.dumps(entities())


def test_a_machine_without_a_sensor_has_no_temperature() -> None:
    names = {topic.split("/")[3] for topic in entities()} - {topic.split("/")[3] for topic in entities("p", False)}
    assert names == {"temperature"}


def published(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What a station publishes, by topic."""
    one, found = station(HandFed()), {}
    one.verdict = verdict(1e9, None, "silence")
    teller = Mqtt(one, Broker("nowhere", 1, False, "genre-edge"))
    monkeypatch.setattr(teller, "_publish", lambda name, content: found.update({f"genre-edge/{name}": content}))
    teller._publish_verdict()
    teller._publish_health()
    return found


def test_templates_name_what_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = published(monkeypatch)
    looked_up = 0
    for content in entities().values():
        places = [(content["state_topic"], content["value_template"])]
        places += [(a["topic"], a["value_template"]) for a in content["availability"] if "value_template" in a]
        for topic, template in places:
            (name,) = re.findall(r"value_json\.(\w+)", template)
            assert name in messages[topic]
            looked_up += 1
    assert looked_up >= 10


def test_what_is_heard_is_always_one_of_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    (genre,) = (content for topic, content in entities().items() if topic.endswith("/genre/config"))
    assert set(genre["options"]) == {*LABELS, *get_args(Reason)}
    assert published(monkeypatch)["genre-edge/verdict"]["heard"] == "silence"
