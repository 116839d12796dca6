"""Data preparation: any chat data set at full size, checked row by row, at the speed of writing it.

    python -m scripts.dataset prepare --env demo     data/demo/{train,validation,test,heldout}.jsonl, manifest, report
    python -m scripts.dataset check FILE...          the same checks on anything
    python -m scripts.dataset report --env demo      the report of what was prepared, once more
    python -m scripts.dataset component ...          the same preparation as a step of the Azure ML pipeline
    python -m scripts.dataset bench                  speed and memory against `datasets` alone

Read in this order: settings (what a user asked for), source and read (where rows come from), layout (a row becomes a
conversation), checks, texts and seen (what may be wrong with it), stream (all of it, batch by batch), prepare (files).
"""
