"""Operating system services: signals, atomic file writes, machine and process information."""
