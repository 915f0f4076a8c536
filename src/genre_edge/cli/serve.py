"""`genre-edge serve`: continuous classification with a web page, an HTTP API, metrics and MQTT."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from genre_edge.cli.messages import print_message
from genre_edge.cli.options import (
    DEFAULT_STYLES,
    IntervalOption,
    ModelOption,
    RawOption,
    SourceArgument,
    SourceFileOption,
    StylesOption,
    ThresholdOption,
    TriesOption,
    VocabularyName,
    VocabularyOption,
    WindowOption,
)
from genre_edge.cli.source_name import source_name
from genre_edge.errors import GenreEdgeError

if TYPE_CHECKING:
    from genre_edge.station.service import Service


def serve(
    source: SourceArgument = None,
    source_file: SourceFileOption = None,
    host: Annotated[
        str, typer.Option(help="Address to bind. With 0.0.0.0 or ::, other machines can connect.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to bind; 0 for any free port.")] = 8000,
    token: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            envvar="GENRE_EDGE_TOKEN",
            help="Bearer token that clients must send. A browser opens the page as /?token=TOKEN. Prefer "
            "GENRE_EDGE_TOKEN to the option: other users can see command lines.",
        ),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow other machines to connect without a token.")
    ] = False,
    allow_host: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="NAME",
            help="Host name that clients may use, besides IP addresses and this machine's own names. Can be repeated. "
            "Without a token, requests for other names are refused, since they may come from a web page that attacks "
            "by DNS rebinding.",
        ),
    ] = None,
    history: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="SQLite file for the last 100000 verdicts (default: keep 1000 in memory)."),
    ] = None,
    mqtt: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            envvar="GENRE_EDGE_MQTT",
            metavar="URL",
            help="Publish to this MQTT broker, with Home Assistant discovery: mqtt://USER:PASSWORD@HOST:PORT/PREFIX, "
            "or mqtts. Topics begin with PREFIX (default: genre-edge/ and an identifier of this machine). Prefer "
            "GENRE_EDGE_MQTT to the option if the URL has a password.",
        ),
    ] = None,
    interval: IntervalOption = 5.0,
    window: WindowOption = None,
    model: ModelOption = "edge",
    threshold: ThresholdOption = None,
    styles: StylesOption = DEFAULT_STYLES,
    vocabulary: VocabularyOption = VocabularyName.genres,
    raw: RawOption = None,
    tries: TriesOption = 30,
) -> None:
    """Classify a live source and show the results on a web page, until Ctrl-C. Requires the extra `station`."""
    try:
        from genre_edge.station.http import app as web
        from genre_edge.station.http import server
        from genre_edge.station.http.middleware.host import AllowedHosts, normalise_host
        from genre_edge.station.http.middleware.token import Token
        from genre_edge.station.mqtt.broker_address import BrokerAddress
        from genre_edge.station.mqtt.client import BrokerClient
        from genre_edge.station.mqtt.publisher import MqttPublisher
        from genre_edge.station.service import Service
    except ImportError as error:
        raise GenreEdgeError(f"serve needs {error.name}; run: pip install 'genre-edge[station]'") from None
    from genre_edge.audio.live.reconnect import RetryPolicy
    from genre_edge.audio.opening import open_source
    from genre_edge.classify.classifier import Classifier
    from genre_edge.station.history.verdict_history import VerdictHistory
    from genre_edge.station.station import Station

    name = source_name(source, source_file)
    secret = Token(token) if token is not None else None
    broker = BrokerClient(BrokerAddress.from_url(mqtt)) if mqtt is not None else None
    names = list(map(normalise_host, allow_host or []))
    with server.bind(host, port, allow_public=secret is not None or insecure) as listener:
        hosts: AllowedHosts | None = None
        if server.is_loopback(listener.getsockname()[0]):
            hosts = AllowedHosts.of_loopback(host, names)
        elif secret is None or names:
            hosts = AllowedHosts.of_network(host, names)
        classifier = Classifier(model, threshold, vocabulary.value, styles)
        audio = open_source(name, raw, RetryPolicy(tries=tries), wait=False)
        mqtt_state = broker.state if broker else lambda: None
        station = Station(classifier, audio, VerdictHistory(history), interval, window, mqtt_state)
        http_server = server.Server(web.create_app(station, secret, hosts), listener)
        publisher = MqttPublisher(station, broker, http_server.network_url) if broker else None
        _run(Service(station, http_server, publisher), http_server.url)


def _run(service: "Service", url: str) -> None:
    error = None
    logging.raiseExceptions = False  # a message that cannot be written, out of memory, is lost without a traceback
    try:
        service.run(lambda: print_message(url))
    except GenreEdgeError as reason:
        error = reason
    if not service.clean:
        _exit_immediately(error)
    if error is not None:
        raise error


def _exit_immediately(error: GenreEdgeError | None) -> None:
    """Exit without joining the threads that are still blocked on standard input, a disk or a device."""
    from genre_edge.audio.ffmpeg.process import kill_child_processes

    if error is not None:
        print_message(error)
    kill_child_processes()
    os._exit(0 if error is None else error.exit_code)
