"""Home Assistant's MQTT discovery of a station: one retained message that describes the device and its entities.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

import hashlib
import socket
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

DISCOVERY_PREFIX = "homeassistant"  # Home Assistant's default
MIGRATE = {"migrate_discovery": True}  # makes Home Assistant unload an entity and keep its settings
NO_STYLE = "none"
REASONS = ("silence", "not_music", "low_confidence", "too_short")
_OPTIONAL = ("temperature", "style", "sound")  # entities that not every station has
_EARLIER_ENTITIES = {
    "sensor": ("genre", "confidence", "level", "dropped_samples", "outages", "lag", *_OPTIONAL),
    "binary_sensor": ("music", "listening"),
}
_MACHINE_ID = Path("/etc/machine-id")

Config = dict[str, Any]


def node_id(prefix: str) -> str:
    """Return a constant identifier of this machine and `prefix`.

    It is a hash, because machine-id(5) forbids disclosing /etc/machine-id.
    """
    try:
        machine = _MACHINE_ID.read_text().strip()
    except OSError:
        machine = ""
    identity = f"genre-edge {machine or socket.gethostname()} {prefix}"
    return f"genre_edge_{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def discovery_topic(node: str) -> str:
    """Return the topic of the discovery message of a station."""
    return f"{DISCOVERY_PREFIX}/device/{node}/config"


def entity_topics(node: str) -> list[str]:
    """Return the discovery topics of earlier versions, which published one message for each entity.

    Their OBJECT_ID is the key of the entity in `cmps`, and NODE is the device's OBJECT_ID: so Home Assistant
    recognises each entity when it migrates.
    """
    return [
        f"{DISCOVERY_PREFIX}/{component}/{node}/{object_id}/config"
        for component, object_ids in _EARLIER_ENTITIES.items()
        for object_id in object_ids
    ]


def discovery_message(
    node: str,
    prefix: str,
    labels: list[str],
    model: str,
    has_temperature: bool,
    styles: Sequence[str] = (),
    sounds: Sequence[str] = (),
    page_url: str | None = None,
) -> Config:
    """Return the discovery message of a station.

    Args:
        node: identifier of the station, see `node_id`.
        prefix: prefix of the topics that the station publishes to.
        labels: genres of the model.
        model: name and version of the model.
        has_temperature: True if the machine has a temperature sensor.
        styles: styles of the model.
        sounds: what the model may hear, music and silence included; empty if it does not tell sounds apart.
        page_url: address of the station's web page for the "Visit" link of the device; None without one.
    """
    release = version("genre-edge")
    device = {
        "identifiers": [node],
        "name": f"genre-edge {socket.gethostname()}",
        "manufacturer": "genre-edge",
        "model": f"model {model}",
        "sw_version": release,
    }
    components: dict[str, Config] = {key: {"p": "sensor"} for key in _OPTIONAL}  # a platform alone removes the entity
    for platform, name, config in _entities(prefix, labels, has_temperature, styles, sounds):
        key = name.replace(" ", "_")
        identity = {"p": platform, "name": name[0].upper() + name[1:], "unique_id": f"{node}_{key}", "qos": 1}
        components[key] = identity | config
    return {
        "dev": device | ({"configuration_url": page_url} if page_url else {}),
        "o": {"name": "genre-edge", "sw_version": release},
        "availability": [_station(prefix)],
        "availability_mode": "all",
        "cmps": components,
    }


def _station(prefix: str) -> Config:
    return {"topic": f"{prefix}/availability"}


def _entities(
    prefix: str, labels: list[str], has_temperature: bool, styles: Sequence[str], sounds: Sequence[str]
) -> list[tuple[str, str, Config]]:
    """Return (platform, name, entity-specific configuration)."""
    listening = {
        "topic": f"{prefix}/health",
        "value_template": "{{ 'online' if value_json.listening else 'offline' }}",
    }
    verdict: Config = {"state_topic": f"{prefix}/verdict", "availability": [_station(prefix), listening]}
    health: Config = {"state_topic": f"{prefix}/health"}
    diagnostic = health | {"entity_category": "diagnostic"}
    gauge, counter = {"state_class": "measurement"}, {"state_class": "total_increasing"}
    entities: list[tuple[str, str, Config]] = [
        (
            "sensor",
            "genre",
            verdict | _template("heard") | _enum(*labels, *REASONS) | _attributes(prefix, styles, sounds),
        ),
        ("binary_sensor", "music", verdict | _music_template() | {"device_class": "sound"}),
        ("sensor", "confidence", verdict | _template("confidence_percent") | gauge | {"unit_of_measurement": "%"}),
        ("switch", "pause", health | _flag_template("paused") | _pause_command(prefix)),
        ("sensor", "level", health | _template("level_db") | gauge | {"unit_of_measurement": "dBFS"}),
        ("binary_sensor", "listening", diagnostic | _flag_template("listening") | {"device_class": "connectivity"}),
        ("sensor", "dropped samples", diagnostic | _template("dropped_samples") | counter),
        ("sensor", "outages", diagnostic | _template("outages") | counter),
        (
            "sensor",
            "lag",
            diagnostic | _template("lag_ms") | gauge | {"device_class": "duration", "unit_of_measurement": "ms"},
        ),
    ]
    if has_temperature:
        temperature = {"device_class": "temperature", "unit_of_measurement": "°C"}
        entities.append(("sensor", "temperature", diagnostic | _template("temperature_c") | gauge | temperature))
    if styles:
        template = {"value_template": f"{{{{ value_json.style or '{NO_STYLE}' }}}}"}
        entities.append(("sensor", "style", verdict | template | _enum(*styles, NO_STYLE)))
    if sounds:
        entities.append(("sensor", "sound", verdict | _template("heard_sound") | _enum(*sounds)))
    return entities


def pause_topic(prefix: str) -> str:
    """Return the topic of the commands ON, which pauses the station, and OFF."""
    return f"{prefix}/pause/set"


def _pause_command(prefix: str) -> Config:
    return {"command_topic": pause_topic(prefix), "payload_on": "ON", "payload_off": "OFF", "icon": "mdi:pause"}


def _enum(*options: str) -> Config:
    """Return the configuration of a sensor with these states; equal ones count once."""
    return {"device_class": "enum", "options": list(dict.fromkeys(options))}


def _attributes(prefix: str, styles: Sequence[str], sounds: Sequence[str]) -> Config:
    """Return the configuration of the attributes: `verdict_id`, and `styles` and `sound` if the model has them."""
    names = {"verdict_id": "id"} | ({"styles": "styles"} if styles else {}) | ({"sound": "sound"} if sounds else {})
    values = ", ".join(f"'{name}': value_json.{key}" for name, key in names.items())
    return {
        "json_attributes_topic": f"{prefix}/verdict",
        "json_attributes_template": f"{{{{ {{{values}}} | tojson }}}}",
    }


def _music_template() -> Config:
    """Return the template of the state ON while there is music, even of an unknown genre."""
    others = [reason for reason in REASONS if reason != "low_confidence"]
    return {"value_template": f"{{{{ 'OFF' if value_json.heard in {others} else 'ON' }}}}"}


def _flag_template(name: str) -> Config:
    """Return the template of one boolean JSON key."""
    return {"value_template": f"{{{{ 'ON' if value_json.{name} else 'OFF' }}}}"}


def _template(name: str) -> Config:
    """Return the template of one JSON key; Home Assistant renders null as "unknown"."""
    return {"value_template": f"{{{{ value_json.{name} }}}}"}
