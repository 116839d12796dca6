"""A rehearsal: an environment's own YAML through the whole chain on localhost, and a report for whoever reviews it.

`stage` is where it plays, `record` what came of it, `report` that as Markdown, `walk` the faults one after the other.
"""
