"""Names of genres: what may be written, and a user's own names."""

from pathlib import Path

import pytest

from genre_edge.errors import ParameterError
from genre_edge.library.tagging.names import NameRules, check_name, display_name, read_mapping, read_whitelist


@pytest.mark.parametrize("name", ["rock", "Drum & Bass", "80s", "2-Step", "Rock (live)", "Électro", "日本"])
def test_check_name_good(name: str) -> None:
    """Names with digits in them are fine."""
    check_name(name)


@pytest.mark.parametrize(
    "name", ["a/b", "a,b", "a;b", "a|b", "a\\b", "17", "(17)", " 17 ", "", " ", "a\nb", "a\0b", "a\udcff", "\u2028"]
)
def test_check_name_bad(name: str) -> None:
    """Players split at /, comma, semicolon, | and backslash, and take numbers for genres of ID3v1."""
    with pytest.raises(ValueError, match=r"contains|number|not a name"):
        check_name(name)


def test_read_mapping(tmp_path: Path) -> None:
    """Several names, comments, any case, and no name at all."""
    path = tmp_path / "names"
    path.write_text("\ufeff# own names\nTechno = Techno; Electronic\n\nhiphop=Hip-Hop # as I write it\nvocal =\n")
    assert read_mapping(path) == {"techno": ("Techno", "Electronic"), "hiphop": ("Hip-Hop",), "vocal": ()}


@pytest.mark.parametrize(
    "line", ["techno", "= Electronic", "techno = a/b", "techno = a|b", "techno = a\\b", "techno = 5", "techno = x; a,b"]
)
def test_read_mapping_faults(line: str, tmp_path: Path) -> None:
    """A fault is named with its line."""
    path = tmp_path / "names"
    path.write_text(f"rock = Rock\n{line}\n")
    with pytest.raises(ParameterError, match="names, line 2: "):
        read_mapping(path)


def test_read_whitelist(tmp_path: Path) -> None:
    """Names in any case; other encodings than UTF-8 and bad names are faults."""
    path = tmp_path / "names"
    path.write_text("Rock\n# no\nHip-Hop\n")
    assert read_whitelist(path) == {"rock", "hip-hop"}
    path.write_bytes(b"Caf\xe9\n")
    with pytest.raises(ParameterError, match="names: not UTF-8"):
        read_whitelist(path)
    path.write_text("Rock, Pop\n")
    with pytest.raises(ParameterError, match="names, line 1: "):
        read_whitelist(path)


def test_name_rules() -> None:
    """The mapping comes first, then the whitelist, then the parent; a model's own bad names are made good."""
    assert NameRules().names("R&B/Soul,Funk") == ["R&B Soul Funk"]
    assert NameRules().names("soul|funk\\disco classics") == ["Soul Funk Disco Classics"]
    assert NameRules().names("1980") == []
    mapping = {"techno": ("Techno", "Electronic"), "vocal": ()}
    assert NameRules(mapping).names("Techno") == ["Techno", "Electronic"]
    assert NameRules(mapping).names("vocal") == []
    rules = NameRules(mapping, frozenset(["electronic", "jazz"]))
    assert rules.names("techno") == ["Electronic"]
    assert rules.names("house", "electronic") == ["Electronic"]
    assert rules.names("swing", "jazz") == ["Jazz"]
    assert rules.names("rock") == rules.names("metal", "rock") == []


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("jazz", "Jazz"),
        ("hiphop", "Hip-Hop"),
        ("rock and roll", "Rock and Roll"),
        ("Middle Eastern", "Middle Eastern"),
        ("children's music", "Children's Music"),
        ("a cappella", "A Cappella"),
    ],
)
def test_display_name(name: str, shown: str) -> None:
    assert display_name(name) == shown
