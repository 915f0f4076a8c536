"""The connection to a Dask scheduler, whose errors are one line each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from genre_edge.errors import GenreEdgeError, ParameterError
from genre_edge.library.cluster.file_systems import reason

CONNECT_S = 30.0
POLL_S = 2.0  # between two looks at the workers, as long as nothing is done
RESULT_S = 10.0  # to get a result of some hundred bytes from its worker
_ADDRESS = re.compile(r"(tcp|tls|ws|wss)://(\[[0-9a-fA-F:.%]+\]|[\w.-]+):[0-9]{1,5}")


class LostResultError(Exception):
    """Raised if the result of a task was lost with its worker."""


class Cluster:
    """Connection to a Dask scheduler.

    Args:
        address: of the scheduler, such as tcp://192.168.1.5:8786.

    Raises:
        ParameterError: the address has another form.
        GenreEdgeError: Dask is not installed, no scheduler answers, or it has no worker.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise GenreEdgeError("--scheduler needs Dask; run: pip install 'genre-edge[cluster]'") from None
        if not _ADDRESS.fullmatch(address):  # Dask would leave a client half made, and print a traceback
            raise ParameterError(f"--scheduler must be an address such as tcp://192.168.1.5:8786, got {address!r}")
        log = logging.getLogger("distributed")  # it logs tracebacks of errors that it raises, too
        log.addHandler(logging.NullHandler())
        log.propagate = False
        self.address = address
        _check_tls(address)
        try:
            self._client = Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, asyncio.TimeoutError) as error:  # before Python 3.11, asyncio's TimeoutError is no OSError
            raise GenreEdgeError(f"{address}: no Dask scheduler answers: {reason(error)}") from None
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_S)
        except asyncio.TimeoutError:
            self._client.close()
            raise GenreEdgeError(f"{address}: the Dask scheduler has no worker") from None

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError, asyncio.TimeoutError):  # of a connection that is lost
            self._client.close(timeout=POLL_S)

    def n_threads(self) -> dict[str, int]:
        """Return the number of threads of each worker, by its address.

        Raises:
            GenreEdgeError: the connection is lost.
        """
        with self._errors():
            return dict(self._client.nthreads())

    def submit(
        self, function: Callable[..., Any], *arguments: Any, workers: Collection[str], key: str | None = None
    ) -> Any:
        """Let one of some workers call a function; return the future.

        A task whose key the scheduler knows already is not done twice.

        Raises:
            GenreEdgeError: the connection is lost.
        """
        with self._errors():
            return self._client.submit(function, *arguments, key=key, workers=sorted(workers), pure=False)

    def done(self, futures: Iterable[Any]) -> list[Any]:
        """Wait until one of some futures is done, at most `POLL_S`; return those that are.

        Raises:
            GenreEdgeError: the connection is lost.
        """
        from distributed import wait

        futures = list(futures)
        with self._errors():
            with contextlib.suppress(asyncio.TimeoutError), self._client.as_current():
                wait(futures, timeout=POLL_S, return_when="FIRST_COMPLETED")
            return [future for future in futures if self.is_done(future)]

    @staticmethod
    def is_done(future: Any) -> bool:
        """Return True if a future has a result or an error, or is cancelled."""
        return future.status not in ("pending", "lost")

    def result(self, future: Any) -> Any:
        """Return the result of a future that is done; a GenreEdgeError if its function has raised an exception.

        Raises:
            GenreEdgeError: the connection is lost.
            LostResultError: the worker that has the result is gone. Dask does the task again.
        """
        with self._errors():
            if future.status == "error":
                return GenreEdgeError(reason(future.exception()))
            try:
                result = future.result(timeout=RESULT_S)
            except asyncio.TimeoutError:
                raise LostResultError from None
            except Exception as error:
                if future.status != "error":
                    raise
                return GenreEdgeError(reason(error))  # of the task when Dask did it again
            future.release()
            return result

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise what Dask raises when the scheduler is gone, or has cancelled all tasks, as a GenreEdgeError."""
        from distributed import CancelledError
        from distributed.client import ClosedClientError

        try:
            yield
        except (OSError, asyncio.TimeoutError, CancelledError, ClosedClientError):
            raise GenreEdgeError(
                f"{self.address}: the connection to the Dask scheduler is lost; run the command again to go on"
            ) from None


def _check_tls(address: str) -> None:
    """Check that Dask's configuration has certificates for an encrypted connection: a client cannot be made without."""
    from distributed import Security

    try:
        has_context = Security().get_connection_args("client").get("ssl_context") is not None
    except (OSError, ValueError) as error:
        raise GenreEdgeError(f"{address}: Dask's configuration of TLS is not valid: {reason(error)}") from None
    if address.startswith(("tls:", "wss:")) and not has_context:
        raise GenreEdgeError(f"{address}: TLS needs certificates in Dask's configuration (docs/cluster.md)")
