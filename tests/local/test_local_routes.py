"""The lists of what is emulated: routes and operations."""

from __future__ import annotations

import re

import pytest

from scripts.files import ROOT
from scripts.local.core.web import AzureError, Routes
from scripts.local.routes import TABLES, WORK

FAMILIES = sorted(TABLES)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_route_says_what_it_does_and_stands_once(family):
    seen = set()
    for route in TABLES[family].table:
        assert route.handler.__doc__, (route.template, route.handler)
        for method in route.methods:
            key = (method, re.sub(r"{\w+", "{", route.template).lower())
            assert key not in seen, key
            seen.add(key)
    assert seen


def test_every_operation_that_is_begun_has_its_work_and_no_other():
    sources = (ROOT / "scripts" / "local" / "resources").glob("*.py")
    begun = {name for source in sources for name in re.findall(r'begin\(\s*call, "([\w.]+)"', source.read_text())}
    assert begun == set(WORK)


def test_a_route_is_found_without_regard_to_case_and_the_rest_refused():
    table = Routes()

    @table("GET PUT", "/Things/{name}/deep/{rest:path}")
    async def thing(call):
        """Returns a thing."""

    route, words = table.find("GET", "/things/One/DEEP/a/b")
    assert (route.handler, words) == (thing, {"name": "One", "rest": "a/b"})
    for method, path, status in (("POST", "/things/one/deep/a", 405), ("GET", "/things/one", 404)):
        with pytest.raises(AzureError) as caught:
            table.find(method, path)
        assert caught.value.status == status
