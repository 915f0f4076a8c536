"""The verdict history in SQLite."""
