"""The steps of the chain that look before they act: what is there, in which state, what a refusal means, how long.

Each drives the program that answers to `az`, as a user would by hand; `python -m scripts.chain STEP` is one of them.
"""
