"""Data preparation: any chat data set at full size, checked row by row in bounded memory.

    python -m scripts.dataset prepare --env demo     data/demo/{train,validation,test,heldout}.jsonl, manifest, report
    python -m scripts.dataset check FILE...          the same checks on anything
    python -m scripts.dataset report --env demo      the report of what was prepared, once more
    python -m scripts.dataset component ...          the same preparation as a step of the Azure ML pipeline

The way of a row, and the module of each station:

    find files    source, hub              what a folder, file, glob or hub id holds; file, archives: what each one is
    sort          split_names, bind_splits what their names tell of splits, and which output file takes which
    plan          read_plan, cuts          which part of the files is read, in which order, for which output file
    read          read_rows, text_formats, json_shape
    convert       layouts                  a row becomes a conversation, whatever its columns are called; accounts
    check         sieve, with checks (what may be wrong, and the books), text_checks, private_data, control_tokens,
                  duplicates, candidates and alike; written, lengths: what the chat template and the cut make of it;
                  tool_calls: tools, and what calls them
    divide        sieve                    into train, validation, test and heldout
    write         writer
    report        shown_rows (kept on the way, their secrets hidden), manifest with manifest_shape, verdict, terminal;
                  data_report, report_rows, run_plan (what the run takes)

`prepare` and `check_files` are the verbs; `survey` is the pass over a source that both make.
"""
