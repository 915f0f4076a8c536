"""Home Assistant: docs/recipes.md, with a real broker and its clients."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from genre_edge.station.mqtt import home_assistant
from tests.conftest import ROOT
from tests.helpers.mqtt import Mosquitto, MqttSubscriber, requires_mosquitto, start_publisher
from tests.helpers.station import QueueSource, eventually, make_station

RECIPES = (ROOT / "docs/recipes.md").read_text()


@requires_mosquitto
@pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="mosquitto_pub is missing (mosquitto-clients)")
def test_pause_command(tmp_path: Path) -> None:
    """The command pauses a station with the broker's URL of the recipe."""
    (command,) = re.findall(r"^mosquitto_pub .+$", RECIPES, re.MULTILINE)
    (prefix,) = re.findall(r"mqtt://broker\.example/(\S+)`", RECIPES)
    broker, station = Mosquitto(tmp_path), make_station(QueueSource())
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/{prefix}")
    subscriber = MqttSubscriber(broker.port)
    eventually(lambda: subscriber.topics.get(f"{prefix}/availability") == "online")
    arguments = shlex.split(command.replace("broker.example", f"127.0.0.1 -p {broker.port}"))
    subprocess.run(arguments, check=True, timeout=240)
    eventually(lambda: station.paused)
    eventually(lambda: subscriber.topics[f"{prefix}/health"]["paused"] is True)
    publisher.close()
    subscriber.close()
    broker.stop()


def entity_ids(message: dict[str, Any]) -> set[str]:
    """Return the entity ids that Home Assistant derives from the names of the device and of its entities."""
    names = [(content["p"], content["name"]) for content in message["cmps"].values() if "name" in content]
    device = message["dev"]["name"]
    return {f"{platform}.{re.sub(r'[^a-z0-9]+', '_', f'{device} {name}'.lower())}" for platform, name in names}


def test_automations(monkeypatch: pytest.MonkeyPatch) -> None:
    """The automations are YAML, and name entities that a station with the host name `hifi` has."""
    monkeypatch.setattr(home_assistant.socket, "gethostname", lambda: "hifi")
    message = home_assistant.discovery_message("node", "prefix", ["blues"], "edge 2", has_temperature=False)
    yaml = pytest.importorskip("yaml", reason="PyYAML is missing: it reads Home Assistant's configuration")
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.+?)```", RECIPES, re.DOTALL)]
    automations = [automation for block in blocks for automation in block["automation"]]
    assert len(automations) == 2 and all({"alias", "triggers", "actions"} == set(one) for one in automations)
    entities = set(re.findall(r"\w+\.genre_edge_\w+", str(automations)))
    assert len(entities) == 2 and entities <= entity_ids(message)
