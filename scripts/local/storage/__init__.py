"""Blob storage: what the data plane of a storage account answers, and where Azure ML's URIs lie in it."""
