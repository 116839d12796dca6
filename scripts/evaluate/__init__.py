"""Base against tuned: `python -m scripts.evaluate --env ENV`.

model_version.py  which registered model is meant                general.json     questions that both should know
model_files.py    where the two models' files come from          loaded_model.py  losses and answers from weights
compare.py        asks both                                       progress.py      how far that is
judge.py          empty, refused, right                           structured.py    right where answers are JSON
kind.py           a measure before it is taken                    statistics.py    ROUGE-L, perplexity, intervals
measure.py        answers to measures, base beside tuned         gate.py          evaluation.require against them
evaluation.py     what came out, and its file                    report.py        Markdown and HTML
printed.py        for a terminal
"""
