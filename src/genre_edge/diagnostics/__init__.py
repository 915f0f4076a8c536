"""Diagnostics: `genre-edge doctor` (does everything work?) and `genre-edge bench` (how fast is it?)."""
