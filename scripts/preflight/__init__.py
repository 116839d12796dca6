"""What would make a run fail, or waste money, checked before it starts: `python -m scripts.preflight --env ENV`.

Read in this order: check (what a check is), context (what checks look at), then the groups: model, sizes, cluster,
quota, parameters, memory, cost. live is the only module that asks Azure ML; report prints.
"""
