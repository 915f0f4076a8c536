"""Entry point of the program `genre-edge` and of `python -m genre_edge`."""

from genre_edge.system import signals


def main() -> None:
    """Run the command line."""
    signals.default_sigint()
    from genre_edge import cli  # slow: after Ctrl-C has its default action

    cli.main()


if __name__ == "__main__":
    main()
