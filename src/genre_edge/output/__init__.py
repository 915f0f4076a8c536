"""Verdicts and spectrograms as text, JSON, CSV and pictures."""
