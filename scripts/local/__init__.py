"""Azure ML on localhost, which the unmodified SDK and CLI reach through a proxy. Start at routes.py and server.py."""
