"""Resources that Azure ML has and the local one has not: empty lists, 404 for one, and a refusal of making one."""

from __future__ import annotations

from typing import Any

from scripts.local.core.refused import ABSENT, CODE, Absent, sentence
from scripts.local.core.web import WORKSPACE, AzureError, Call, Routes

arm = Routes()


def _routes(absent: Absent) -> None:
    collection = f"{WORKSPACE}/{absent.collection}"

    @arm("GET", collection)
    async def list_none(call: Call) -> Any:
        """Lists none."""
        return {"value": []}

    @arm("GET HEAD", collection + "/{name}")
    async def get_none(call: Call) -> Any:
        """Answers Azure's 404."""
        raise absent.not_there(call.words["name"], call.ws.name)

    @arm("PUT POST PATCH DELETE", collection + "/{name}")
    async def refuse(call: Call) -> Any:
        """Refuses it, and says what to do instead."""
        raise AzureError(400, CODE, sentence(absent.word, absent.instead))

    @arm("GET HEAD PUT POST PATCH DELETE", collection + "/{name}/{rest:path}")
    async def refuse_inside(call: Call) -> Any:
        """Answers that the outer one is not there, or refuses to make what is inside."""
        if call.request.method in ("GET", "HEAD"):
            raise absent.not_there(call.words["name"], call.ws.name)
        raise AzureError(400, CODE, sentence(absent.word, absent.instead))


for each in ABSENT:
    _routes(each)
