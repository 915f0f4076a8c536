"""Entry point of `genre-edge` and of `python -m genre_edge`."""

from genre_edge.system import signals


def main() -> None:
    """Run the command line; Ctrl-C during the imports ends the program silently."""
    signals.default_sigint()
    from genre_edge import cli  # slow, so only after the signal set-up

    cli.main()


if __name__ == "__main__":
    main()
