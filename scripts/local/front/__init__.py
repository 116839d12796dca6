"""What a request meets first: the proxy, TLS, the host that it names, sign-in, and the control routes."""
