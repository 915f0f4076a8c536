"""Home Assistant discovery: a message that is valid by its documentation and matches the published topics."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from genre_edge.classify.verdict import Reason
from genre_edge.station.mqtt import home_assistant
from genre_edge.station.mqtt.broker_address import BrokerAddress
from genre_edge.station.mqtt.client import BrokerClient
from genre_edge.station.mqtt.publisher import MqttPublisher
from tests.helpers.bundles import DATA, STYLED, TINY
from tests.helpers.station import QueueSource, make_station, make_verdict

SCHEMA = json.loads((DATA / "home_assistant.schema.json").read_text())
STYLES, SOUNDS = ["dark", "bass", "bright"], ["music", "speech", "noise", "silence"]
LABELS = ["blues", "classical"]
OPTIONAL = ["temperature", "style", "sound"]


def validate(message: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(message)


def make_message(
    prefix: str = "genre-edge",
    has_temperature: bool = True,
    styles: Sequence[str] = (),
    sounds: Sequence[str] = (),
    page_url: str | None = None,
) -> dict[str, Any]:
    node = home_assistant.node_id(prefix)
    return home_assistant.discovery_message(node, prefix, LABELS, "edge 2", has_temperature, styles, sounds, page_url)


def entities(
    prefix: str = "genre-edge",
    has_temperature: bool = True,
    styles: Sequence[str] = (),
    sounds: Sequence[str] = (),
) -> dict[str, dict[str, Any]]:
    """Return the components of the message that are not removed."""
    components = make_message(prefix, has_temperature, styles, sounds)["cmps"]
    return {key: content for key, content in components.items() if len(content) > 1}


def test_message_valid() -> None:
    """The message has the documented schema and topic; ids are unique."""
    validate(make_message())
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", home_assistant.discovery_topic("genre_edge_0"))
    ids = [content["unique_id"] for content in entities().values()]
    assert len(set(ids)) == len(ids) == 10


def test_unique_ids_unchanged() -> None:
    """The identifiers are those of earlier versions, so that Home Assistant keeps the entities and their settings."""
    names = ["genre", "music", "confidence", "level", "listening", "dropped_samples", "outages", "lag", "temperature"]
    node = home_assistant.node_id("genre-edge")
    contents, topics = entities(styles=STYLES, sounds=SOUNDS), set()
    for name in [*names, "style", "sound"]:
        assert contents[name]["unique_id"] == f"{node}_{name}"
        topics.add(f"homeassistant/{contents[name]['p']}/{node}/{name}/config")
    assert topics == set(home_assistant.entity_topics(node))


@pytest.mark.parametrize(
    ("entity", "change"),
    [
        ("genre", {"state_class": "measurement"}),
        ("genre", {"options": []}),
        ("confidence", {"options": ["a"]}),
        ("confidence", {"unit": "%"}),
        ("lag", {"unit_of_measurement": "fortnights"}),
        ("lag", {"p": "switch"}),
        ("pause", {"command_topic": "a/#"}),
        ("pause", {"unique_id": "a b"}),
        ("listening", {"state_class": "measurement"}),
        ("listening", {"state_topic": "a/+"}),
    ],
)
def test_schema_rejects(entity: str, change: dict[str, Any]) -> None:
    """The schema of these tests rejects what the documentation excludes."""
    message = make_message()
    message["cmps"][entity] |= change
    with pytest.raises(jsonschema.ValidationError):
        validate(message)


@pytest.mark.parametrize("change", [{"dev": {"name": "without identifiers"}}, {"o": {}}, {"cmps": {}}, {"device": {}}])
def test_schema_rejects_device(change: dict[str, Any]) -> None:
    """The schema of these tests rejects a message without an identified device, an origin or components."""
    with pytest.raises(jsonschema.ValidationError):
        validate(make_message() | change)


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
    assert "fedcba98" not in json.dumps(make_message())


def test_no_temperature_sensor() -> None:
    """A machine without a temperature sensor has no temperature entity."""
    assert set(entities()) - set(entities("p", False)) == {"temperature"}


def test_absent_entities_removed() -> None:
    """Entities that an earlier model or machine had are removed: their platform alone is published."""
    message = make_message(has_temperature=False)
    validate(message)
    assert [message["cmps"][name] for name in OPTIONAL] == [{"p": "sensor"}] * 3


@pytest.mark.parametrize(
    ("heard", "state"),
    [("blues", "ON"), ("low_confidence", "ON"), ("silence", "OFF"), ("not_music", "OFF"), ("too_short", "OFF")],
)
def test_music_sensor(heard: str, state: str) -> None:
    """Music of an unknown genre is music. Home Assistant renders templates with Jinja."""
    jinja2 = pytest.importorskip("jinja2", reason="jinja2 is missing: it renders Home Assistant's templates")
    music = entities()["music"]
    assert music["device_class"] == "sound"
    assert jinja2.Template(music["value_template"]).render(value_json={"heard": heard}) == state


def test_page_url() -> None:
    """The device links to the station's page, if other machines can open it."""
    assert "configuration_url" not in make_message()["dev"]
    message = make_message(page_url="http://pi.local:8765/")
    validate(message)
    assert message["dev"]["configuration_url"] == "http://pi.local:8765/"


@pytest.mark.parametrize(("paused", "state"), [(True, "ON"), (False, "OFF")])
def test_pause_switch(paused: bool, state: str) -> None:
    """The switch is on while the station is paused, and remains available; its commands have a topic of their own."""
    jinja2 = pytest.importorskip("jinja2", reason="jinja2 is missing: it renders Home Assistant's templates")
    pause = entities("house/music")["pause"]
    assert (pause["p"], pause["command_topic"]) == ("switch", "house/music/pause/set")
    assert (pause["state_topic"], "availability" in pause) == ("house/music/health", False)
    assert jinja2.Template(pause["value_template"]).render(value_json={"paused": paused}) == state


SILENCE = make_verdict(1e9, None, "silence")


def published(
    monkeypatch: pytest.MonkeyPatch, model: Path = TINY, verdict: dict[str, Any] = SILENCE
) -> dict[str, dict[str, Any]]:
    """Return the verdict and health messages of a station, by topic."""
    station = make_station(QueueSource(), model=model)
    station.verdict = verdict
    client = BrokerClient(BrokerAddress("nowhere", 1, False, "genre-edge"))
    messages: dict[str, dict[str, Any]] = {}
    monkeypatch.setattr(client, "publish", lambda name, content: messages.update({f"genre-edge/{name}": content}))
    publisher = MqttPublisher(station, client)
    publisher._publish_verdict()
    publisher._publish_health()
    return messages


def test_templates_match_payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each template reads a key that is published to its topic."""
    messages = published(monkeypatch, STYLED)
    checked = 0
    for content in entities(styles=STYLES, sounds=SOUNDS).values():
        references = [(content["state_topic"], content["value_template"])]
        availability = content.get("availability", [])
        references += [(a["topic"], a["value_template"]) for a in availability if "value_template" in a]
        for topic, template in references:
            (name,) = re.findall(r"value_json\.(\w+)", template)
            assert name in messages[topic]
            checked += 1
    assert checked >= 10


def test_genre_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """The options of the genre entity are all labels and all reasons."""
    assert set(entities()["genre"]["options"]) == {*LABELS, *get_args(Reason)}
    assert published(monkeypatch)["genre-edge/verdict"]["heard"] == "silence"


def test_styles_and_sounds_valid() -> None:
    """A model with styles and sounds has two entities more, and attributes of the genre; the others are the same."""
    plain, styled = entities(), entities(styles=STYLES, sounds=SOUNDS)
    validate(make_message(styles=STYLES, sounds=SOUNDS))
    new = {name: content for name, content in styled.items() if name not in plain}
    assert list(new) == ["style", "sound"]
    assert [content["name"] for content in new.values()] == ["Style", "Sound"]
    assert new["style"]["options"] == [*STYLES, "none"] and new["sound"]["options"] == SOUNDS
    attributes = "json_attributes_template"
    assert styled["genre"].pop(attributes) != plain["genre"].pop(attributes)
    assert styled["genre"]["json_attributes_topic"] == styled["genre"]["state_topic"]
    assert all(styled[name] == content for name, content in plain.items())


@pytest.mark.parametrize(
    ("styles", "sounds", "names"),
    [(STYLES, SOUNDS, ["id", "styles", "sound"]), ((), SOUNDS, ["id", "sound"]), ((), (), ["id"])],
)
def test_attributes(styles: Sequence[str], sounds: Sequence[str], names: list[str]) -> None:
    """The genre has the id of the verdict as an attribute, and what the model has values for."""
    genre = entities(styles=styles, sounds=sounds)["genre"]
    assert re.findall(r"value_json\.(\w+)", genre["json_attributes_template"]) == names


def test_equal_options() -> None:
    """A name that is also a reason, "none" or "silence" is one option; options must be unique."""
    names = ["none", "silence"]
    sounds = ["music", *names, "silence"]
    message = home_assistant.discovery_message("node", "p", names, "edge 2", False, names, sounds)
    validate(message)
    assert message["cmps"]["genre"]["options"].count("silence") == 1
    assert message["cmps"]["style"]["options"] == names
    assert message["cmps"]["sound"]["options"] == ["music", *names]


STYLED_VERDICT = make_verdict(1e9) | {
    "styles": [
        {"style": "dark", "parent": None, "probability": 0.9},
        {"style": "bass", "parent": "dark", "probability": 0.8},
        {"style": "bright", "parent": None, "probability": 0.7},
    ]
}


@pytest.mark.parametrize(
    ("verdict", "styles", "style", "sound", "heard_sound"),
    [
        (STYLED_VERDICT, {"dark": 0.9, "bass": 0.8, "bright": 0.7}, "bass", None, "music"),
        (make_verdict(1e9, None, "low_confidence"), {}, None, None, "music"),
        (make_verdict(1e9, None, "not_music") | {"sound": "speech"}, {}, None, "speech", "speech"),
        (SILENCE, {}, None, "silence", "silence"),
        (make_verdict(1e9, None, "too_short"), {}, None, None, None),
    ],
    ids=["styles", "low confidence", "not music", "silence", "too short"],
)
def test_verdict_styles_and_sound(
    monkeypatch: pytest.MonkeyPatch,
    verdict: dict[str, Any],
    styles: dict[str, float],
    style: str | None,
    sound: str | None,
    heard_sound: str | None,
) -> None:
    """The verdict's message has styles and sound, and the states of the sensors."""
    message = published(monkeypatch, STYLED, verdict)["genre-edge/verdict"]
    assert (message["styles"], message["style"]) == (styles, style) and list(message["styles"]) == list(styles)
    assert (message["sound"], message["heard_sound"]) == (sound, heard_sound)


def test_verdict_without_styles_and_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message of a model without styles and sounds has no keys for them."""
    assert not {"styles", "style", "sound", "heard_sound"} & set(published(monkeypatch)["genre-edge/verdict"])
