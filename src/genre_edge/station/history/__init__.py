"""The verdict history: SQLite storage with a write-behind queue."""
