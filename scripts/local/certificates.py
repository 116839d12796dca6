"""The private certificate authority of a home, and the one certificate that covers every emulated host."""

from __future__ import annotations

import ssl

from scripts.files import write_private
from scripts.local.home import Home

# Azure's public regions with Azure ML; a workspace may lie in any of them. A wildcard covers one level only, so that
# the scoring hosts (<endpoint>.<region>.inference.ml.azure.com) need a name a region.
REGIONS = (
    "australiacentral australiaeast australiasoutheast brazilsouth brazilsoutheast canadacentral canadaeast centralindia "
    "centralus eastasia eastus eastus2 francecentral francesouth germanynorth germanywestcentral israelcentral italynorth "
    "japaneast japanwest jioindiawest koreacentral koreasouth mexicocentral newzealandnorth northcentralus northeurope "
    "norwayeast norwaywest polandcentral qatarcentral southafricanorth southafricawest southcentralus southeastasia "
    "southindia spaincentral swedencentral swedensouth switzerlandnorth switzerlandwest uaecentral uaenorth uksouth ukwest "
    "westcentralus westeurope westindia westus westus2 westus3"
).split()

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
    """Returns the TLS context of the emulator: the home's authority (made once, mode 0600) signs a fresh certificate."""
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
