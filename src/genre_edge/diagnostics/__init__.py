"""Is it healthy, and how fast is it here: what `genre-edge doctor` and `genre-edge bench` find out."""
