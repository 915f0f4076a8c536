"""Take the README's pictures of the web page: docs/page.png (wide, light) and docs/page-phone.png (narrow, dark).

python -m tools.screenshot_page --write docs
python -m tools.screenshot_page --write docs --url http://127.0.0.1:8080/

Without --url, the page shows the shipped song and a synthetic day. Needs Chromium, Playwright and Pillow.
"""

import argparse
import io
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from genre_edge import MelConfig, MelSpectrogram
from genre_edge.model.bundle import MODELS, Bundle
from tests.helpers.page_server import (
    BIN_S,
    CHROMIUM,
    CHROMIUM_OPTIONS,
    FRAME_S,
    Columns,
    FakeStation,
    Outcome,
    make_verdict,
)

ROOT = Path(__file__).parents[1]
# width, height (None: the whole page), colour scheme, device pixels in a CSS pixel
SCREENSHOTS = {"page.png": (1200, None, "light", 1), "page-phone.png": (390, 844, "dark", 2)}
N_EXACT_COLOURS = 48  # the most frequent colours of a picture
N_QUANTIZED_COLOURS = 32  # for all others, by each of two methods
TIMELINE: list[tuple[float, Outcome]] = [  # minutes ago from which an outcome applies
    (30, ("jazz", None)),
    (11.2, (None, "low_confidence")),
    (10.6, ("blues", None)),
    (6.3, (None, "not_music")),
    (5.2, ("classical", None)),
    (1.9, (None, "silence")),
    (1.6, ("classical", None)),
]
PEAK_HOURS = {"classical": 9, "pop": 12.5, "rock": 14, "reggae": 16.5, "jazz": 20, "blues": 22}


def song_columns() -> Columns:
    """Return the spectrogram of the shipped song: `(columns, 128)`; 255 is a full-scale sine, 0 is 80 dB less."""
    samples, _ = soundfile.read(ROOT / "demo" / "song.ogg", dtype="float32")
    mel = MelSpectrogram(MelConfig(hop_length=round(FRAME_S * 22050)))
    tone = np.sin(2 * np.pi * 440 / 22050 * np.arange(22050, dtype=np.float32))
    columns: Columns = np.clip(255 * ((mel.db(samples) - mel.db(tone).max()) / 80 + 1), 0, 255).T.astype(np.uint8)
    return columns


def outcome_at(minutes_ago: float) -> Outcome:
    return next(outcome for since, outcome in reversed(TIMELINE) if since >= minutes_ago)


def past_verdicts(now: float) -> list[dict[str, Any]]:
    times = np.arange(now - 900, now, 5.0)
    return [make_verdict(when, outcome_at((now - when) / 60), "USB microphone") for when in times]


def synthetic_day(now: float) -> list[dict[str, Any]]:
    """Return bins with classical in the morning, pop at noon, jazz in the evening, silence and an outage at night."""
    rng = np.random.default_rng(4)
    bins = []
    for start in np.arange(now // BIN_S * BIN_S - 86400 + BIN_S, now, BIN_S):
        hour = time.localtime(start).tm_hour + time.localtime(start).tm_min / 60
        if 2 <= hour < 3:
            continue
        rates = {genre: 130 * math.exp(-((hour - peak) ** 2) / 2) for genre, peak in PEAK_HOURS.items()}
        genres = {genre: int(rng.poisson(rate)) for genre, rate in rates.items()}
        excess = max(1.0, sum(genres.values()) / 165)
        genres = {genre: int(count / excess) for genre, count in genres.items() if count / excess >= 1}
        bins.append({"start": float(start), "genres": genres, "none": 180 - sum(genres.values())})
    return bins


def synthetic_station(columns: Columns) -> FakeStation:
    """Return a station that has run for three days, with `columns` as the spectrogram of the last minute."""
    now, bundle = time.time(), Bundle.load(MODELS / "edge")
    station = FakeStation(
        lambda when: outcome_at(0),
        columns=columns,
        past=past_verdicts(now),
        bins=synthetic_day(now),
        verdict_s=5,
        started=now - 273000,
        uptime_s=273000,
        position_s=269412,
        outages=2,
        dropped_samples=1764,
        model={"name": bundle.name, "version": bundle.version, "sha256": bundle.sha256},
    )
    station.started_s -= 60
    return station


def take_screenshot(
    browser: Browser, url: str, wait_s: float, width: int, height: int | None, scheme: Any, scale: int
) -> bytes:
    """Open the page, wait `wait_s` seconds and return a PNG."""
    page = browser.new_page(
        viewport={"width": width, "height": height or 900}, color_scheme=scheme, device_scale_factor=scale
    )
    page.goto(url)
    page.wait_for_timeout(1000 * wait_s)
    screenshot = page.screenshot(full_page=height is None)
    page.close()
    return reduce_colours(Image.open(io.BytesIO(screenshot)).convert("RGB"))


def reduce_colours(image: Image.Image) -> bytes:
    """Return a PNG with few colours: frequent colours are exact, the others are replaced by the nearest."""
    pixels = np.asarray(image)
    colours, inverse, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    n_values = 3 * N_QUANTIZED_COLOURS
    methods = (Image.Quantize.MAXCOVERAGE, Image.Quantize.MEDIANCUT)
    palettes = [(image.quantize(N_QUANTIZED_COLOURS, method).getpalette() or [])[:n_values] for method in methods]
    frequent = colours[np.argsort(-counts)[:N_EXACT_COLOURS]]
    palette = np.concatenate([frequent, np.reshape(np.concatenate(palettes), (-1, 3))])
    distances = ((colours[:, None].astype(int) - palette) ** 2).sum(axis=2)
    reduced = Image.fromarray(distances.argmin(axis=1).astype(np.uint8)[inverse].reshape(pixels.shape[:2]), "P")
    reduced.putpalette(palette.astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    reduced.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--url", help="URL of a running station, instead of the synthetic one")
    parser.add_argument("--wait", type=float, default=4, help="seconds before each screenshot")
    arguments = parser.parse_args()
    columns = song_columns()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        with synthetic_station(columns) as station:
            for name, options in SCREENSHOTS.items():
                png = take_screenshot(browser, arguments.url or station.url, arguments.wait, *options)
                (arguments.write / name).write_bytes(png)
                print(f"{arguments.write / name}: {len(png) / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    main()
