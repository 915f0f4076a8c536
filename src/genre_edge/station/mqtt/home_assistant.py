"""What a station tells Home Assistant about itself, by MQTT discovery.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery: one retained message an entity, under
`homeassistant/COMPONENT/NODE/OBJECT/config`.
"""

import hashlib
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = "homeassistant"
REASONS = ("silence", "not_music", "low_confidence", "too_short")
_MACHINE_ID = Path("/etc/machine-id")

Config = dict[str, Any]


def node_id(prefix: str) -> str:
    """The same for this machine and this prefix at every start, and it does not give the machine's own id away."""
    try:
        machine = _MACHINE_ID.read_text().strip()
    except OSError:
        machine = ""
    secret = f"genre-edge {machine or socket.gethostname()} {prefix}"
    return f"genre_edge_{hashlib.sha256(secret.encode()).hexdigest()[:12]}"


def messages(node: str, prefix: str, labels: list[str], model: str, has_temperature: bool) -> dict[str, Config]:
    """Topic -> content, for each entity of the station `node` that publishes under `prefix`."""
    release = version("genre-edge")
    common: Config = {
        "device": {
            "identifiers": [node],
            "name": f"genre-edge {socket.gethostname()}",
            "manufacturer": "genre-edge",
            "model": f"model {model}",
            "sw_version": release,
        },
        "origin": {"name": "genre-edge", "sw_version": release},
        "availability_mode": "all",
        "qos": 1,
    }
    found = {}
    for component, name, own in _entities(prefix, labels, has_temperature):
        identity = {"name": name[0].upper() + name[1:], "unique_id": f"{node}_{name.replace(' ', '_')}"}
        topic = f"{ROOT}/{component}/{node}/{name.replace(' ', '_')}/config"
        found[topic] = common | identity | own
    return found


def _entities(prefix: str, labels: list[str], has_temperature: bool) -> list[tuple[str, str, Config]]:
    """(component, name, what is its own)."""
    station = {"topic": f"{prefix}/availability"}
    hearing = {
        "topic": f"{prefix}/health",
        "value_template": "{{ 'online' if value_json.listening else 'offline' }}",
    }
    verdict: Config = {"state_topic": f"{prefix}/verdict", "availability": [station, hearing]}
    health: Config = {"state_topic": f"{prefix}/health", "availability": [station]}
    diagnostic = health | {"entity_category": "diagnostic"}
    measured, counted = {"state_class": "measurement"}, {"state_class": "total_increasing"}
    entities: list[tuple[str, str, Config]] = [
        ("sensor", "genre", verdict | _value("heard") | {"device_class": "enum", "options": [*labels, *REASONS]}),
        ("sensor", "confidence", verdict | _value("confidence_percent") | measured | {"unit_of_measurement": "%"}),
        ("sensor", "level", health | _value("level_db") | measured | {"unit_of_measurement": "dBFS"}),
        (
            "binary_sensor",
            "listening",
            diagnostic
            | {"value_template": "{{ 'ON' if value_json.listening else 'OFF' }}", "device_class": "connectivity"},
        ),
        ("sensor", "dropped samples", diagnostic | _value("dropped_samples") | counted),
        ("sensor", "outages", diagnostic | _value("outages") | counted),
        (
            "sensor",
            "lag",
            diagnostic | _value("lag_ms") | measured | {"device_class": "duration", "unit_of_measurement": "ms"},
        ),
    ]
    if has_temperature:
        warm = {"device_class": "temperature", "unit_of_measurement": "°C"}
        entities.append(("sensor", "temperature", diagnostic | _value("temperature_c") | measured | warm))
    return entities


def _value(name: str) -> Config:
    """Of null Home Assistant makes "unknown"."""
    return {"value_template": f"{{{{ value_json.{name} }}}}"}
