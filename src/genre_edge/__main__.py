"""The program `genre-edge`, also as `python -m genre_edge`."""

from genre_edge.system import signals


def main() -> None:
    """Entry point."""
    signals.default_sigint()
    from genre_edge import cli  # takes a while

    cli.main()


if __name__ == "__main__":
    main()
