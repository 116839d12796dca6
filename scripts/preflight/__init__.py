"""What would make a run fail, or waste money, checked before it starts: `python -m scripts.preflight --env ENV`.

Read in this order: finding (what a check finds), context (what checks look at), then the groups: model, sizes, cluster,
quota, parameters, memory, cost. checklist has them all in order; what_if estimates for any size; results prints.
"""
