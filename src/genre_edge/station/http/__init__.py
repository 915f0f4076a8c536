"""HTTP: routes, middleware, server, event stream, metrics and the web page. `openapi.json` describes the API."""
