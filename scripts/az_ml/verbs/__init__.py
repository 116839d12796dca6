"""The verbs: a module a group, a function a verb (`list-sizes` is `list_sizes`, `list` is `list_`).

Each takes the session and the parsed arguments, and returns plain data to print, or None for nothing.
"""
