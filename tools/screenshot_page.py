"""Pictures of the station's page for the README: docs/page.png (wide, light) and docs/page-phone.png (narrow, dark).

python -m tools.screenshot_page --write docs
python -m tools.screenshot_page --write docs --url http://127.0.0.1:8080/

Without an address the page shows a made-up station: the shipped song, and a made-up day. Needs Chromium,
Playwright and Pillow.
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

ROOT = Path(__file__).parents[1]

from tests.helpers.page_server import (  # noqa: E402
    ARGUMENTS,
    BIN_S,
    CHROMIUM,
    FRAME_S,
    Columns,
    Heard,
    Station,
    verdict,
)

# width, height (None: as long as the page is), colour scheme, pixels in one
SHOTS = {"page.png": (1200, None, "light", 1), "page-phone.png": (390, 844, "dark", 2)}
FLAT, SMOOTH = 48, 32  # colours in a picture: the most frequent ones, and twice those that stand for all
MINUTES: list[tuple[float, Heard]] = [  # how long ago in minutes something began
    (30, ("jazz", None)),
    (11.2, (None, "low_confidence")),
    (10.6, ("blues", None)),
    (6.3, (None, "not_music")),
    (5.2, ("classical", None)),
    (1.9, (None, "silence")),
    (1.6, ("classical", None)),
]


def song() -> Columns:
    """The shipped song, `(columns, 128)`; 255 is a tone at full scale, 0 is 80 dB less."""
    samples, _ = soundfile.read(ROOT / "demo" / "song.ogg", dtype="float32")
    mel = MelSpectrogram(MelConfig(hop_length=round(FRAME_S * 22050)))
    tone = np.sin(2 * np.pi * 440 / 22050 * np.arange(22050, dtype=np.float32))
    columns: Columns = np.clip(255 * ((mel.db(samples) - mel.db(tone).max()) / 80 + 1), 0, 255).T.astype(np.uint8)
    return columns


def heard(minutes_ago: float) -> Heard:
    return next(what for since, what in reversed(MINUTES) if since >= minutes_ago)


def past(now: float) -> list[dict[str, Any]]:
    return [verdict(when, heard((now - when) / 60), "USB microphone") for when in np.arange(now - 900, now, 5.0)]


def made_up_day(now: float) -> list[dict[str, Any]]:
    """Classical in the morning, pop at noon, jazz in the evening, a quiet night with an hour's outage."""
    rng = np.random.default_rng(4)
    wanted = {"classical": 9, "pop": 12.5, "rock": 14, "reggae": 16.5, "jazz": 20, "blues": 22}
    bins = []
    for start in np.arange(now // BIN_S * BIN_S - 86400 + BIN_S, now, BIN_S):
        hour = time.localtime(start).tm_hour + time.localtime(start).tm_min / 60
        if 2 <= hour < 3:
            continue
        rates = {genre: 130 * math.exp(-((hour - peak) ** 2) / 2) for genre, peak in wanted.items()}
        genres = {genre: int(rng.poisson(rate)) for genre, rate in rates.items()}
        too_many = max(1.0, sum(genres.values()) / 165)
        genres = {genre: int(count / too_many) for genre, count in genres.items() if count / too_many >= 1}
        bins.append({"start": float(start), "genres": genres, "none": 180 - sum(genres.values())})
    return bins


def made_up(columns: Columns) -> Station:
    """A station that has listened for three days, the last minute to `columns`."""
    now, bundle = time.time(), Bundle.load(MODELS / "edge")
    station = Station(
        lambda when: heard(0),
        columns=columns,
        past=past(now),
        bins=made_up_day(now),
        verdict_s=5,
        started=now - 273000,
        uptime_s=273000,
        position_s=269412,
        outages=2,
        dropped_samples=1764,
        model={"name": bundle.name, "version": bundle.version, "sha256": bundle.sha256},
    )
    station.began -= 60
    return station


def picture(
    browser: Browser, url: str, wait_s: float, width: int, height: int | None, scheme: Any, scale: int
) -> bytes:
    """A PNG of the page after `wait_s`."""
    page = browser.new_page(
        viewport={"width": width, "height": height or 900}, color_scheme=scheme, device_scale_factor=scale
    )
    page.goto(url)
    page.wait_for_timeout(1000 * wait_s)
    shot = page.screenshot(full_page=height is None)
    page.close()
    return small(Image.open(io.BytesIO(shot)).convert("RGB"))


def small(image: Image.Image) -> bytes:
    """A PNG in few colours: those of the page's areas as they are, the others by the nearest."""
    pixels = np.asarray(image)
    colours, inverse, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    wide = image.quantize(SMOOTH, Image.Quantize.MAXCOVERAGE).getpalette()[: 3 * SMOOTH]
    even = image.quantize(SMOOTH, Image.Quantize.MEDIANCUT).getpalette()[: 3 * SMOOTH]
    palette = np.concatenate([colours[np.argsort(-counts)[:FLAT]], np.reshape(wide + even, (-1, 3))])
    distances = ((colours[:, None].astype(int) - palette) ** 2).sum(axis=2)
    reduced = Image.fromarray(distances.argmin(axis=1).astype(np.uint8)[inverse].reshape(pixels.shape[:2]), "P")
    reduced.putpalette(palette.astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    reduced.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, required=True, help="the folder that the pictures go to")
    parser.add_argument("--url", help="a station that runs, instead of the made-up one")
    parser.add_argument("--wait", type=float, default=4, help="seconds until the picture is taken")
    arguments = parser.parse_args()
    columns = song()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with made_up(columns) as station:
            for name, shot in SHOTS.items():
                png = picture(browser, arguments.url or station.url, arguments.wait, *shot)
                (arguments.write / name).write_bytes(png)
                print(f"{arguments.write / name}: {len(png) / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    main()
