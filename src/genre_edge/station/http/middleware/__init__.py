"""ASGI middleware: one module for each check."""
