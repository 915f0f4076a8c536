"""`genre-edge serve`: a station that listens, with a page, an API, metrics and MQTT."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from genre_edge.cli.options import (
    IntervalOption,
    ModelOption,
    RawOption,
    SourceArgument,
    ThresholdOption,
    TriesOption,
    WindowOption,
)
from genre_edge.errors import GenreEdgeError, ParameterError

if TYPE_CHECKING:
    from genre_edge.station.service import Service


def serve(
    source: SourceArgument = "microphone",
    host: Annotated[
        str, typer.Option(help="The address to serve at; other machines reach 0.0.0.0 or ::.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port; 0 for any that is free.")] = 8000,
    token: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            envvar="GENRE_EDGE_TOKEN",
            help="Who asks must know it: as a bearer token, or by opening the page as /?token=TOKEN. Better given in "
            "GENRE_EDGE_TOKEN, as other users see command lines.",
        ),
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Serve other machines without a token.")] = False,
    history: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Keep the last 100000 verdicts in this SQLite file. By default 1000, in memory."),
    ] = None,
    mqtt: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            envvar="GENRE_EDGE_MQTT",
            metavar="URL",
            help="Tell a broker, with Home Assistant discovery: mqtt://USER:PASSWORD@HOST:PORT/PREFIX, or mqtts. "
            "Topics begin with PREFIX, by default genre-edge/ and a name of this machine's own. A password is better "
            "given in GENRE_EDGE_MQTT.",
        ),
    ] = None,
    interval: IntervalOption = 5.0,
    window: WindowOption = None,
    model: ModelOption = "edge",
    threshold: ThresholdOption = None,
    raw: RawOption = None,
    tries: TriesOption = 30,
) -> None:
    """Listen as stream does, and show it on a web page. Ctrl-C ends it. Needs the extra station."""
    try:
        from genre_edge.station.http import app as web
        from genre_edge.station.http import guard, server
        from genre_edge.station.mqtt.client import Broker, Mqtt
        from genre_edge.station.service import Service
    except ImportError as error:
        raise GenreEdgeError(
            f"serve needs {error.name}: in the folder of genre-edge, pip install '.[station]'"
        ) from None
    from genre_edge.audio.live.reconnect import RetryPolicy
    from genre_edge.audio.opening import open_source
    from genre_edge.classify.classifier import Classifier
    from genre_edge.station.history.store import History
    from genre_edge.station.station import Station

    secret = guard.Token(guard.check_token(token)) if token is not None else None
    broker = Broker.of_url(mqtt) if mqtt is not None else None
    with server.bind(host, port) as listener:
        names = server.local_names(listener, host)
        if names is None and secret is None and not insecure:
            raise ParameterError(f"{host} is reached by others: give a --token (GENRE_EDGE_TOKEN), or --insecure")
        classifier = Classifier(model, threshold)
        audio = open_source(source, raw, RetryPolicy(tries=tries), wait=False)
        station = Station(classifier, audio, History(history), interval, window)
        site = server.Server(web.application(station, secret, names), listener)
        _run(Service(station, site, Mqtt(station, broker) if broker else None), site.url)


def _run(service: "Service", url: str) -> None:
    failure = None
    try:
        service.run(lambda: print(f"genre-edge: {url}", file=sys.stderr, flush=True))
    except GenreEdgeError as error:
        failure = error
    if not service.clean:
        _leave(failure)
    if failure is not None:
        raise failure


def _leave(failure: GenreEdgeError | None) -> None:
    """End although a thread still waits for standard input, a disk or a device: nothing else ends it in time."""
    from genre_edge.audio.ffmpeg import kill_child_processes
    from genre_edge.output.text import one_line

    if failure is not None:
        print(f"genre-edge: {one_line(str(failure))}", file=sys.stderr, flush=True)
    kill_child_processes()
    os._exit(0 if failure is None else failure.exit_code)
