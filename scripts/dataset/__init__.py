"""Data preparation: any chat data set at full size, checked row by row, at the speed of writing it.

    python -m scripts.dataset prepare --env demo     data/demo/{train,validation,test,heldout}.jsonl, manifest, report
    python -m scripts.dataset check FILE...          the same checks on anything
    python -m scripts.dataset report --env demo      the report of what was prepared, once more
    python -m scripts.dataset component ...          the same preparation as a step of the Azure ML pipeline

The way of a row, and the module of each station:

    find files    source, hub              what a folder, file, glob or hub id holds, and its splits
    plan          read_plan                which part of the files is read, in which order, for which output file
    read          read_rows, text_formats
    convert       layout                   a row becomes a conversation, whatever its columns are called
    check         sieve, with checks (what may be wrong, and the books), text_checks, duplicates and alike, lengths
    divide        sieve                    into train, validation, test and heldout
    write         writer
    report        manifest, data_report, terminal

`prepare` and `check_files` are the verbs; `survey` is the pass over a source that both make.
"""
