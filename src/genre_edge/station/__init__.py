"""The service behind `genre-edge serve`: continuous classification with a web page, HTTP API, metrics and MQTT."""
