"""Parsing of the MQTT broker's URL."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from genre_edge.errors import ParameterError
from genre_edge.station.mqtt import home_assistant

_SYNTAX = "mqtt://[USER:PASSWORD@]HOST[:PORT][/PREFIX], mqtts for TLS"
_DEFAULT_PREFIX = "genre-edge"
_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_MAX_PREFIX_BYTES = 200


@dataclass(frozen=True)
class BrokerAddress:
    """Host, credentials and topic prefix of an MQTT broker. Neither str() nor repr() contains the password."""

    host: str
    port: int
    tls: bool
    prefix: str  # topic prefix in the URL; may be empty
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def node_id(self) -> str:
        """Identifier of this station for Home Assistant."""
        return home_assistant.node_id(self.prefix or _DEFAULT_PREFIX)

    @property
    def base_topic(self) -> str:
        """Prefix of all topics: the prefix in the URL; by default genre-edge/ and an identifier of the machine."""
        return self.prefix or f"{_DEFAULT_PREFIX}/{self.node_id}"

    @classmethod
    def from_url(cls, url: str) -> "BrokerAddress":
        """Parse a URL such as mqtt://user:password@host:1883/prefix.

        Raises:
            ParameterError: the URL is invalid; the message does not contain it, since it may contain a password.
        """
        try:
            url.encode()  # undecodable bytes of a command line argument
            parts = urlsplit(url)
            port = parts.port
            (parts.hostname or "").encode("idna")
        except ValueError:
            raise ParameterError(f"the MQTT broker URL must be {_SYNTAX}; its host or port is invalid") from None
        prefix = unquote(parts.path).strip("/")
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.query or parts.fragment or port == 0:
            raise ParameterError(f"the MQTT broker URL must be {_SYNTAX}")
        if len(prefix.encode()) > _MAX_PREFIX_BYTES or not prefix.isprintable() or set("+#$") & set(prefix):
            raise ParameterError(
                f"the MQTT topic prefix must be printable, at most {_MAX_PREFIX_BYTES} bytes, without + # $"
            )
        user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
        return cls(
            parts.hostname, port or _DEFAULT_PORTS[parts.scheme], parts.scheme == "mqtts", prefix, user, password
        )
