"""Output of verdicts (table, JSON, CSV) and spectrograms (PNG). `formats.py` lists the formats."""
