"""The service behind `genre-edge serve`: it listens for months, and tells by page, API, metrics and MQTT."""
