"""Azure ML on localhost: an emulator that the unmodified SDK and CLI reach through a proxy. Start at routes.py and server.py."""
