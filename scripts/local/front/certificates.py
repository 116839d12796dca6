"""The private certificate authority of a home, and the one certificate that covers every emulated host."""

from __future__ import annotations

import ssl

from scripts.azure.regions import REGIONS
from scripts.files import write_private
from scripts.local.core.home import Home

# A wildcard covers one level only, so that the scoring hosts (<endpoint>.<region>.inference.ml.azure.com) need a name a
# region.
HOSTS = [
    "management.azure.com",
    "login.microsoftonline.com",
    "login.windows.net",
    "*.api.azureml.ms",
    "*.blob.core.windows.net",
    *(f"*.{region}.inference.ml.azure.com" for region in REGIONS),
    "localhost",
    "127.0.0.1",
]


def server_context(home: Home) -> ssl.SSLContext:
    """Returns the emulator's TLS context: the home's authority (made once, mode 0600) signs a fresh certificate."""
    import trustme

    if home.authority.exists() and home.authority_key.exists():
        authority = trustme.CA.from_pem(home.authority.read_bytes(), home.authority_key.read_bytes())
    else:
        authority = trustme.CA(organization_name="Azure ML on localhost")
        write_private(home.authority_key, authority.private_key_pem.bytes())
        write_private(home.authority, authority.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS).configure_cert(context)
    return context
