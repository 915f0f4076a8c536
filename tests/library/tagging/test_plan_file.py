"""Plans as text: any path survives, edits are respected, and faults are named with their line."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_edge.errors import ParameterError
from genre_edge.library.tagging.plan_file import PlanEntry, escape, format_plan, join_genres, read_plan, unescape

names = st.binary(min_size=1, max_size=40).filter(lambda content: b"\0" not in content).map(os.fsdecode)


def write(path: Path, *lines: str) -> Path:
    """Write a plan with these lines."""
    text = "".join([*format_plan([], []), *(f"{line}\n" for line in lines)])
    path.write_text(text)
    return path


@given(name=names)
def test_escape_any_path(name: str) -> None:
    """Any path is one printable field, and comes back."""
    text = escape(name)
    assert unescape(text) == name
    assert not {"\t", "\n", "\r"} & set(text)
    assert text == text.strip()
    assert text.isprintable()
    text.encode()


@given(entries=st.lists(st.tuples(names, st.lists(names, max_size=2)), max_size=4, unique_by=lambda entry: entry[0]))
def test_plan_round_trip(entries: list[tuple[str, list[str]]], tmp_path_factory: pytest.TempPathFactory) -> None:
    """A plan is read as it was written, whatever paths and old genres are."""
    path = tmp_path_factory.mktemp("plan") / "plan.tsv"
    plan = [PlanEntry(f"/{name}", join_genres(old), ("rock", "Drum & Bass"), 0.5, "new") for name, old in entries]
    path.write_text("".join(format_plan(plan, ["database: \n/x"])))
    assert read_plan(path) == plan


def test_read_plan_edited(tmp_path: Path) -> None:
    """Changed genres, deleted lines, comments, a byte order mark, and line ends of Windows are understood."""
    path = write(
        tmp_path / "plan", "", "# note", "old\tJazz ;Soul; Jazz\t\t\t\t/a", "\tPop\t7 %\tmine\t\t/b\\tc\\\\d\\xff"
    )
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_plan(path) == [
        PlanEntry("/a", "old", ("Jazz", "Soul"), is_edited=True),
        PlanEntry("/b\tc\\d\udcff", "", ("Pop",), 0.07, "mine", is_edited=True),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("one two three", "1 columns"),
        ("\trock\t\t\t\t/a\textra", "7 columns"),
        ("\t\t\t\t\t/a", "no new genre"),
        ("\t ; \t\t\t\t/a", "no new genre"),
        ("\trock\t\t\t\t", "no path"),
        ("\tRock/Pop\t\t\t\t/a", "contains '/'"),
        ("\tRock, Pop\t\t\t\t/a", "contains ','"),
        ("\tRock|Pop\t\t\t\t/a", "contains '|'"),
        ("\tRock\\\\Pop\t\t\t\t/a", "contains '\\\\'"),
        ("\t17\t\t\t\t/a", "is a number"),
        ("\t(17)\t\t\t\t/a", "is a number"),
        ("\ta\\tb\t\t\t\t/a", "is not a name"),
        ("\trock\t\t\t\t/a\\q", "unknown escape"),
        ("\trock\t\t\t\t/a\\x00", "no path"),
    ],
)
def test_read_plan_faults(line: str, reason: str, tmp_path: Path) -> None:
    """A line that cannot be right is named, and nothing is applied."""
    path = write(tmp_path / "plan", "\trock\t\t\t\t/fine", line)
    with pytest.raises(ParameterError, match="plan, line 6: ") as caught:
        read_plan(path)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "is_edited"),
    [
        ("", "", False),
        ("; Drum & Bass", ";  Drum & Bass ; rock", False),  # the same, in another spelling
        ("rock", "Rock", True),
        ("; Drum & Bass", "", True),
        ("rock; Drum & Bass", "Drum & Bass; rock", True),
    ],
)
def test_read_plan_notices_edits(old: str, new: str, is_edited: bool, tmp_path: Path) -> None:
    """A line counts as edited if its new genres are others, or in another order, than the plan proposed."""
    text = "".join(format_plan([PlanEntry("/a", "", ("rock", "Drum & Bass"), 0.5, "no genre yet")], []))
    assert text.count("rock") == 1
    (tmp_path / "plan").write_text(text.replace(old, new) if old else text)
    assert [entry.is_edited for entry in read_plan(tmp_path / "plan")] == [is_edited]


def test_plan_keeps_edited_mark(tmp_path: Path) -> None:
    """An edited entry stays one when it is written again."""
    (tmp_path / "plan").write_text("".join(format_plan([PlanEntry("/a", "", ("rock",), is_edited=True)], [])))
    assert read_plan(tmp_path / "plan") == [PlanEntry("/a", "", ("rock",), is_edited=True)]


def test_read_plan_double_path(tmp_path: Path) -> None:
    """A file with two lines is a fault: which one counts is unknown."""
    path = write(tmp_path / "plan", "\trock\t\t\t\t/a", "\tpop\t\t\t\t/a")
    with pytest.raises(ParameterError, match="another line above"):
        read_plan(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"path,genre\n", b"# genre-edge tag plan 2\n", b"\xff\xfe#"])
def test_read_plan_other_file(content: bytes, tmp_path: Path) -> None:
    """Another file is no plan."""
    (tmp_path / "plan").write_bytes(content)
    with pytest.raises(ParameterError, match=r"plan: not (a plan|UTF-8)"):
        read_plan(tmp_path / "plan")
