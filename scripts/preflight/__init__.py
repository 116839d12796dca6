"""What would make a run fail, or waste money, checked before it starts: `python -m scripts.preflight --env ENV`.

Read in this order: finding (what a check finds), context (what checks look at), then the groups: azure_cli,
subscription, model, sizes, cluster, quota, storage, setup, data, parameters, numbers, memory, serving, cost, limits.
checklist has them all in order; results prints.
"""
