"""The HTTP API, the web page and the metrics of a station."""
