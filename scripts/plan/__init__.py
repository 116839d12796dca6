"""What runs against what was committed: `make plan` says it, `make apply` does it, `make drift` watches it.

`world` reads both sides, `resource` compares them, `shown` prints, `approved` keeps a plan, `applied` carries one out.
"""
