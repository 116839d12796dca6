"""Code: folders that the SDK uploads for a job or a component, found again by the hash of their content."""

from __future__ import annotations

import uuid
from typing import Any

from scripts.local.core.web import WORKSPACE, Call, Routes
from scripts.local.resources.assets import Assets
from scripts.local.storage.blob_signatures import shared_access

uploads = Routes()


class Codes(Assets):
    """Code."""

    kind, content = "codes", ("codeUri",)


@uploads("POST", WORKSPACE + "/codes/{name}/versions/{version}/startPendingUpload")
async def start_pending_upload(call: Call) -> Any:
    """Gives the client a container of its own for the files of a code asset."""
    host = f"https://{call.ws.account}.blob.core.windows.net"
    container = call.words["name"].lower()
    credential = {"credentialType": "SAS", "sasUri": f"{host}/{container}?{shared_access(call.state, call.ws.account)}"}
    return {
        "blobReferenceForConsumption": {
            "blobUri": f"{host}:443/{container}",
            "storageAccountArmId": call.ws.account_path,
            "credential": credential,
        },
        "pendingUploadId": str(uuid.uuid4()),
        "pendingUploadType": "None",
    }


CODES = Codes()
