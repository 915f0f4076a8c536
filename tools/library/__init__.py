"""Programs that try the library commands under failures."""
