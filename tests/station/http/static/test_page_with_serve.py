"""The web page on a real `genre-edge serve` that classifies the shipped song."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.conftest import TIMEOUT_S
from tests.helpers.mqtt import free_port
from tests.helpers.page import OpenPage, expect, spectrogram_pixels, wait_for_spectrogram, wait_until

pytestmark = pytest.mark.browser


class ServeProcess:
    """A `serve` process whose standard input is the song, repeated at four times its speed."""

    def __init__(self, samples: np.ndarray, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "genre_edge", "serve", "-", "--raw", "f32le:22050:1", "--port", str(port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
        assert self._process.stderr is not None
        assert self.url in self._process.stderr.readline().decode()
        self._stopping = threading.Event()
        self._feeder = threading.Thread(target=self._feed, args=(samples,))
        self._feeder.start()

    def _feed(self, samples: np.ndarray) -> None:
        assert self._process.stdin is not None
        while not self._stopping.is_set():
            for block in np.array_split(samples, len(samples) // 5512):
                if self._stopping.wait(0.0625):
                    return
                try:
                    self._process.stdin.write(block.astype("<f4").tobytes())
                    self._process.stdin.flush()
                except BrokenPipeError:
                    return

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._stopping.set()
        self._process.wait(TIMEOUT_S)
        self._feeder.join(TIMEOUT_S)
        self._process.communicate()


@pytest.fixture
def serve(song_samples: np.ndarray) -> Iterator[Callable[[int], ServeProcess]]:
    """Starts a process that serves on the given port."""
    processes: list[ServeProcess] = []

    def start(port: int) -> ServeProcess:
        processes.append(ServeProcess(song_samples, port))
        return processes[-1]

    yield start
    for process in processes:
        process.stop()


def test_page_with_serve(serve: Callable[[int], ServeProcess], open_page: OpenPage) -> None:
    """The page shows the song's genre and spectrogram, and again after `serve` has been restarted."""
    port = free_port()
    process = serve(port)
    page: Any = open_page(process)
    expect(page.locator("#genre")).to_have_text("Classical")
    wait_for_spectrogram(page)
    before = spectrogram_pixels(page)
    wait_until(lambda: not np.array_equal(before, spectrogram_pixels(page)))
    process.stop()
    expect(page.locator("#banner")).to_be_visible()
    serve(port)
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#genre")).to_have_text("Classical")
