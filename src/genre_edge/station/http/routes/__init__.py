"""The routes, one module for each topic. A new route goes into the list `ROUTES` of its module, and into openapi.json.

Handlers find the station and the rest of the application's state in `request.app.state`: see `create_app`.
"""
