"""The routes, one module for each topic.

Add a new route to the list `ROUTES` of its module and to openapi.json; `create_app` lists the modules.

Handlers get the station and other state from `request.app.state`: see `create_app`.
"""
