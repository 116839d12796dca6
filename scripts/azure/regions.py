"""Azure's public regions with Azure ML; a workspace may lie in any of them. Facts from catalog/regions.json."""

from __future__ import annotations

from scripts.azure.catalog import read_catalog

REGIONS: tuple[str, ...] = tuple(read_catalog("regions.json")["regions"])
