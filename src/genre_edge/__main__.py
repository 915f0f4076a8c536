"""Entry point of the program `genre-edge` and of `python -m genre_edge`."""

import gc

from genre_edge.system import signals


def main() -> None:
    """Run the command line."""
    signals.default_sigint()
    gc.set_threshold(10_000)  # imports create many objects and hardly any garbage; the default collects 80 times
    try:
        from genre_edge import cli  # slow: after Ctrl-C has its default action

        cli.main()
    finally:
        gc.freeze()  # the end of the interpreter would search all objects for garbage, several times


if __name__ == "__main__":
    main()
