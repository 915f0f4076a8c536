"""BrokerAddress: parsing of URLs, and topics that are unique to a machine."""

import re
from pathlib import Path

import pytest

from genre_edge.errors import ParameterError
from genre_edge.station.mqtt import home_assistant
from genre_edge.station.mqtt.broker_address import BrokerAddress


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", BrokerAddress("broker", 1883, False, "")),
        ("mqtts://broker", BrokerAddress("broker", 8883, True, "")),
        ("MQTT://Broker:99/a/b/", BrokerAddress("broker", 99, False, "a/b")),
        ("mqtt://u%40x:p%2Fw@[::1]:7/t%C3%A4", BrokerAddress("::1", 7, False, "tä", "u@x", "p/w")),
        ("mqtt://u@broker", BrokerAddress("broker", 1883, False, "", "u")),
    ],
)
def test_from_url(url: str, expected: BrokerAddress) -> None:
    """Scheme, port, prefix, user and password are parsed and decoded."""
    assert BrokerAddress.from_url(url) == expected


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
def test_from_url_invalid(url: str) -> None:
    """The error message does not contain the password."""
    with pytest.raises(ParameterError) as caught:
        BrokerAddress.from_url(url)
    assert "s3cret" not in str(caught.value)


def test_text_without_password() -> None:
    """`str` and `repr` do not contain the password."""
    address = BrokerAddress.from_url("mqtt://ann:s3cret@broker")
    assert address.password == "s3cret" and "s3cret" not in f"{address} {address!r}"


def test_base_topic_by_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines without a prefix publish to different topics; a prefix in the URL is used unchanged."""

    def base_topic(machine_id: str, url: str) -> str:
        (tmp_path / "machine-id").write_text(machine_id)
        monkeypatch.setattr(home_assistant, "_MACHINE_ID", tmp_path / "machine-id")
        address = BrokerAddress.from_url(url)
        node, prefix = address.node_id, address.base_topic
        assert f"/{node}/" in home_assistant.discovery_topic(node)
        return prefix

    default = {base_topic(machine_id, "mqtt://broker") for machine_id in ("a", "a", "b")}
    assert len(default) == 2 and all(re.fullmatch("genre-edge/genre_edge_[0-9a-f]{12}", topic) for topic in default)
    assert {base_topic(machine_id, "mqtt://broker/house/music") for machine_id in "ab"} == {"house/music"}
