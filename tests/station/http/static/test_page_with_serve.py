"""The page on a real `genre-edge serve` that hears the shipped song: what is shown is what is heard."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.helpers.mqtt import free_port

pytest.importorskip("uvicorn", reason="serve needs the extra 'station'")
from playwright.sync_api import Page, expect

from tests.helpers.page import picture, spectrogram_begun


class Serving:
    """A process that hears the song, four times as fast as it is."""

    def __init__(self, samples: np.ndarray, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "genre_edge", "serve", "-", "--raw", "f32le:22050:1", "--port", str(port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
        assert self._process.stderr is not None
        assert self.url in self._process.stderr.readline().decode()
        self._ended = threading.Event()
        self._feeder = threading.Thread(target=self._feed, args=(samples,))
        self._feeder.start()

    def _feed(self, samples: np.ndarray) -> None:
        assert self._process.stdin is not None
        while not self._ended.is_set():
            for block in np.array_split(samples, len(samples) // 5512):
                if self._ended.wait(0.0625):
                    return
                try:
                    self._process.stdin.write(block.astype("<f4").tobytes())
                    self._process.stdin.flush()
                except BrokenPipeError:
                    return

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._ended.set()
        self._process.wait(30)
        self._feeder.join(30)
        self._process.communicate()


@pytest.fixture
def serve(song_samples: np.ndarray) -> Iterator[Callable[[int], Serving]]:
    started: list[Serving] = []

    def start(port: int) -> Serving:
        started.append(Serving(song_samples, port))
        return started[-1]

    yield start
    for serving in started:
        serving.stop()


def test_the_page_shows_what_serve_hears_and_comes_back_with_it(
    serve: Callable[[int], Serving], open_page: Callable[..., Page]
) -> None:
    port = free_port()
    serving = serve(port)
    page: Any = open_page(serving)
    expect(page.locator("#genre")).to_have_text("Classical", timeout=30000)
    spectrogram_begun(page)
    before = picture(page)
    time.sleep(2)
    assert not np.array_equal(before, picture(page))
    serving.stop()
    expect(page.get_by_text("trying again")).to_be_visible(timeout=30000)
    serve(port)
    expect(page.get_by_text("trying again")).to_be_hidden(timeout=60000)
    expect(page.locator("#genre")).to_have_text("Classical", timeout=30000)
