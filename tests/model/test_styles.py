"""Styles: parents, their order, and inconsistent trees."""

import pytest

from genre_edge.errors import ModelError
from genre_edge.model.styles import Style, links

ROCK, METAL, DOOM = Style("rock"), Style("metal", "rock"), Style("doom", "metal")


@pytest.mark.parametrize("styles", [[ROCK, METAL, DOOM], [DOOM, ROCK, METAL], [METAL, DOOM, Style("x"), ROCK]])
def test_links_children_first(styles: list[Style]) -> None:
    """There is a pair for each style with a parent, and a style's own pair comes after those of its children."""
    names = [(styles[child].name, styles[parent].name) for child, parent in links(styles)]
    assert names == [("doom", "metal"), ("metal", "rock")]


def test_links_none() -> None:
    """Without parents there are no pairs."""
    assert links([]) == links([Style("a"), Style("b")]) == ()


@pytest.mark.parametrize(
    ("styles", "message"),
    [
        ([ROCK, METAL, METAL], "styles must have different names, got 'metal' twice"),
        ([METAL], "styles: the parent 'rock' of 'metal' is not a style"),
        ([Style("a", "a")], "styles: 'a' is its own ancestor"),
        ([Style("a", "b"), Style("b", "c"), Style("c", "a"), ROCK], "is its own ancestor"),
    ],
)
def test_links_inconsistent(styles: list[Style], message: str) -> None:
    """Duplicates, unknown parents and cycles are errors."""
    with pytest.raises(ModelError) as caught:
        links(styles)
    assert message in str(caught.value)


def test_links_long_chain() -> None:
    """A chain as long as the limit of bundle.json allows is checked in linear time, without recursion."""
    chain = [Style(str(i), str(i + 1) if i < 20_000 else None) for i in range(20_001)]
    assert links(chain)[0] == (0, 1) and len(links(chain)) == 20_000
