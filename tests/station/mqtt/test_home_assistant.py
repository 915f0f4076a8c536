"""Home Assistant discovery: messages that are valid by its documentation and match the published topics."""

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
TOPIC = re.compile(r"homeassistant/(sensor|binary_sensor)/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config")


def validate(content: dict[str, Any], component: str) -> None:
    jsonschema.Draft202012Validator({"$ref": f"#/$defs/{component}", "$defs": SCHEMA["$defs"]}).validate(content)


def entities(
    prefix: str = "genre-edge",
    has_temperature: bool = True,
    styles: Sequence[str] = (),
    sounds: Sequence[str] = (),
) -> dict[str, dict[str, Any]]:
    node = home_assistant.node_id(prefix)
    return home_assistant.discovery_messages(node, prefix, LABELS, "edge 2", has_temperature, styles, sounds)


def by_name(messages: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {topic.split("/")[3]: content for topic, content in messages.items()}


def test_messages_valid() -> None:
    """Each message has the documented schema; ids are unique and the device is the same."""
    messages = entities()
    assert len(messages) == 9
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


@pytest.mark.parametrize(
    ("heard", "state"),
    [("blues", "ON"), ("low_confidence", "ON"), ("silence", "OFF"), ("not_music", "OFF"), ("too_short", "OFF")],
)
def test_music_sensor(heard: str, state: str) -> None:
    """Music of an unknown genre is music. Home Assistant renders templates with Jinja."""
    jinja2 = pytest.importorskip("jinja2", reason="jinja2 is missing: it renders Home Assistant's templates")
    music = by_name(entities())["music"]
    assert music["device_class"] == "sound"
    assert jinja2.Template(music["value_template"]).render(value_json={"heard": heard}) == state


def test_page_url() -> None:
    """The device links to the station's page, if other machines can open it."""
    assert "configuration_url" not in by_name(entities())["music"]["device"]
    url = "http://pi.local:8765/"
    messages = home_assistant.discovery_messages("node", "p", LABELS, "edge 2", False, page_url=url)
    for topic, content in messages.items():
        validate(content, topic.split("/")[1])
        assert content["device"]["configuration_url"] == url


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


def test_styles_and_sounds_valid() -> None:
    """A model with styles and sounds has two entities more, and attributes of the genre; the others are the same."""
    plain, styled = entities(), entities(styles=STYLES, sounds=SOUNDS)
    for topic, content in styled.items():
        validate(content, topic.split("/")[1])
    new = {name: content for name, content in by_name(styled).items() if name not in by_name(plain)}
    assert list(new) == ["style", "sound"]
    assert [content["name"] for content in new.values()] == ["Style", "Sound"]
    assert new["style"]["options"] == [*STYLES, "none"] and new["sound"]["options"] == SOUNDS
    genre = by_name(styled)["genre"]
    assert {key: genre[key] for key in by_name(plain)["genre"]} == by_name(plain)["genre"]
    assert genre["json_attributes_topic"] == genre["state_topic"]
    assert all(styled[topic] == content for topic, content in plain.items() if "/genre/" not in topic)


@pytest.mark.parametrize(
    ("styles", "sounds", "names"), [(STYLES, (), ["styles"]), ((), SOUNDS, ["sound"]), ((), (), [])]
)
def test_attributes(styles: Sequence[str], sounds: Sequence[str], names: list[str]) -> None:
    """The genre has the attributes that the model has values for."""
    genre = by_name(entities(styles=styles, sounds=sounds))["genre"]
    assert re.findall(r"value_json\.(\w+)", genre.get("json_attributes_template", "")) == names


def test_equal_options() -> None:
    """A name that is also a reason, "none" or "silence" is one option; options must be unique."""
    names = ["none", "silence"]
    for topic, content in entities(styles=names, sounds=[*dict.fromkeys(["music", *names])]).items():
        validate(content, topic.split("/")[1])
    messages = home_assistant.discovery_messages(
        "node", "p", names, "edge 2", False, names, ["music", *names, "silence"]
    )
    assert by_name(messages)["genre"]["options"].count("silence") == 1
    assert by_name(messages)["style"]["options"] == names
    assert by_name(messages)["sound"]["options"] == ["music", *names]


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
