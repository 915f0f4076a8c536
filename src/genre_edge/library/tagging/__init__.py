"""Genre tags in audio files: a plan, atomic writes, a journal, undo."""
