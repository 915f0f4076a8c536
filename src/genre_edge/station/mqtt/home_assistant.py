"""Home Assistant's MQTT discovery messages for a station.

One retained message for each entity, to `homeassistant/COMPONENT/NODE/OBJECT/config`:
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

import hashlib
import socket
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

DISCOVERY_PREFIX = "homeassistant"  # Home Assistant's default
NO_STYLE = "none"
REASONS = ("silence", "not_music", "low_confidence", "too_short")
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


def discovery_messages(
    node: str,
    prefix: str,
    labels: list[str],
    model: str,
    has_temperature: bool,
    styles: Sequence[str] = (),
    sounds: Sequence[str] = (),
    page_url: str | None = None,
) -> dict[str, Config]:
    """Return the discovery messages of a station as {topic: content}.

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
    common: Config = {
        "device": device | ({"configuration_url": page_url} if page_url else {}),
        "origin": {"name": "genre-edge", "sw_version": release},
        "availability_mode": "all",
        "qos": 1,
    }
    messages = {}
    for component, name, config in _entities(prefix, labels, has_temperature, styles, sounds):
        identity = {"name": name[0].upper() + name[1:], "unique_id": f"{node}_{name.replace(' ', '_')}"}
        topic = f"{DISCOVERY_PREFIX}/{component}/{node}/{name.replace(' ', '_')}/config"
        messages[topic] = common | identity | config
    return messages


def _entities(
    prefix: str, labels: list[str], has_temperature: bool, styles: Sequence[str], sounds: Sequence[str]
) -> list[tuple[str, str, Config]]:
    """Return (component, name, entity-specific configuration)."""
    station = {"topic": f"{prefix}/availability"}
    listening = {
        "topic": f"{prefix}/health",
        "value_template": "{{ 'online' if value_json.listening else 'offline' }}",
    }
    verdict: Config = {"state_topic": f"{prefix}/verdict", "availability": [station, listening]}
    health: Config = {"state_topic": f"{prefix}/health", "availability": [station]}
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
        ("sensor", "level", health | _template("level_db") | gauge | {"unit_of_measurement": "dBFS"}),
        (
            "binary_sensor",
            "listening",
            diagnostic
            | {"value_template": "{{ 'ON' if value_json.listening else 'OFF' }}", "device_class": "connectivity"},
        ),
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


def _enum(*options: str) -> Config:
    """Return the configuration of a sensor with these states; equal ones count once."""
    return {"device_class": "enum", "options": list(dict.fromkeys(options))}


def _attributes(prefix: str, styles: Sequence[str], sounds: Sequence[str]) -> Config:
    """Return the configuration of the attributes `styles` and `sound`, as far as the model has them."""
    names = [name for name, values in (("styles", styles), ("sound", sounds)) if values]
    if not names:
        return {}
    values = ", ".join(f"'{name}': value_json.{name}" for name in names)
    return {
        "json_attributes_topic": f"{prefix}/verdict",
        "json_attributes_template": f"{{{{ {{{values}}} | tojson }}}}",
    }


def _music_template() -> Config:
    """Return the template of the state ON while there is music, even of an unknown genre."""
    others = [reason for reason in REASONS if reason != "low_confidence"]
    return {"value_template": f"{{{{ 'OFF' if value_json.heard in {others} else 'ON' }}}}"}


def _template(name: str) -> Config:
    """Return the template of one JSON key; Home Assistant renders null as "unknown"."""
    return {"value_template": f"{{{{ value_json.{name} }}}}"}
