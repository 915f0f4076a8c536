"""`Style`: a kind of music that a network recognises besides the genres; styles form trees."""

from collections import Counter
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from genre_edge.errors import ModelError
from genre_edge.mel.validation import quoted


@dataclass(frozen=True)
class Style:
    """Kind of music, such as techno. Several styles may apply to the same audio.

    Args:
        name: of the style.
        parent: name of the more general style that includes this one, such as electronic; None if there is none.
    """

    name: str
    parent: str | None = None


def links(styles: list[Style]) -> tuple[tuple[int, int], ...]:
    """Return pairs of the indices of a style and its parent, the most specific styles first.

    Raises:
        ModelError: names are not distinct, a parent is no style's name, or a style is its own ancestor.
    """
    index = {style.name: i for i, style in enumerate(styles)}
    if len(index) < len(styles):
        ((name, _),) = Counter(style.name for style in styles).most_common(1)
        raise ModelError(f"styles must have different names, got {quoted(name)} twice")
    parents = {style.name: style.parent for style in styles if style.parent is not None}
    for name, parent in parents.items():
        if parent not in index:
            raise ModelError(f"styles: the parent {quoted(parent)} of {quoted(name)} is not a style")
    try:
        order = list(TopologicalSorter({name: [parent] for name, parent in parents.items()}).static_order())
    except CycleError as error:
        raise ModelError(f"styles: {quoted(error.args[1][0])} is its own ancestor") from None
    return tuple((index[name], index[parents[name]]) for name in reversed(order) if name in parents)
