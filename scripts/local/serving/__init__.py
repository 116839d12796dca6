"""Serving: the process behind each deployment, and the gateway in front of them."""
