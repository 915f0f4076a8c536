"""Checks of responses against openapi.json."""

import json
from typing import Any

import jsonschema

from genre_edge.station.http.routes.monitoring import OPENAPI_PATH

OPENAPI: dict[str, Any] = json.loads(OPENAPI_PATH.read_text())


def validate_response(content: Any, path: str, status: str = "200") -> None:
    """Validate the JSON of a response of `path` with a status code."""
    response = OPENAPI["paths"][path]["get"]["responses"][status]
    if "$ref" in response:
        response = OPENAPI["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": OPENAPI["components"]}).validate(content)
