"""Autoscaling of a deployment by Azure Monitor: what it can be measured by.

Names as Azure Monitor has them for Microsoft.MachineLearningServices/workspaces/onlineEndpoints and …/deployments
(Microsoft Learn, supported metrics, 2026-08). The template reads them here, and a test holds the schema to them.
"""

from __future__ import annotations

# Of the deployment, in per cent of its machines; and of the endpoint, whose id a rule has to name as its `--resource`.
DEPLOYMENT_METRICS = (
    "CpuUtilizationPercentage",
    "CpuMemoryUtilizationPercentage",
    "GpuUtilizationPercentage",
    "GpuMemoryUtilizationPercentage",
)
ENDPOINT_METRICS = ("RequestLatency", "RequestsPerMinute")  # milliseconds, and requests
