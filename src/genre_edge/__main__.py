"""`python -m genre_edge` is `genre-edge`."""

from genre_edge.cli import main

main()
