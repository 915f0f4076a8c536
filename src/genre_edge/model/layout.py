"""`OutputLayout`: positions of labels, styles and sounds in the network's output and among the probabilities."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OutputLayout:
    """Layout of the network's logits and of the probabilities: labels, styles, sounds, "not music".

    The last probability is that the audio is not music. A network without sounds has its log odds as last logit. With
    sounds there is no such logit, because the probability follows from that of the sound "music".

    Args:
        n_labels, n_styles, n_sounds: number of each.
        has_not_music: whether there is a probability that the audio is not music.
        style_links: pairs of the indices of a style and its parent, the most specific styles first.
    """

    n_labels: int
    n_styles: int = 0
    n_sounds: int = 0
    has_not_music: bool = False
    style_links: tuple[tuple[int, int], ...] = ()

    @property
    def labels(self) -> slice:
        """The labels, in logits and probabilities."""
        return slice(0, self.n_labels)

    @property
    def styles(self) -> slice:
        """The styles, in logits and probabilities."""
        return slice(self.n_labels, self.n_labels + self.n_styles)

    @property
    def sounds(self) -> slice:
        """The sounds, in logits and probabilities; the first is music."""
        return slice(self.styles.stop, self.styles.stop + self.n_sounds)

    @property
    def not_music(self) -> int | None:
        """Index of the probability that the audio is not music; None if there is none."""
        return self.sounds.stop if self.has_not_music else None

    @property
    def n_logits(self) -> int:
        """Number of values in the network's output."""
        return self.n_probabilities - (self.n_sounds > 0 and self.has_not_music)

    @property
    def n_probabilities(self) -> int:
        """Number of probabilities."""
        return int(self.sounds.stop) + self.has_not_music
