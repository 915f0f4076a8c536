"""Music libraries: scanning into SQLite, tagging."""
