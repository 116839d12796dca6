"""Base against tuned: `python -m scripts.evaluate --env ENV`.

model_version.py  which registered model is meant                general.json     questions that both should know
model_files.py    where the two models' files come from          loaded_model.py  losses and answers from weights
compare.py        asks both                                       judge.py         empty, refused, right
measure.py        answers to measures, base beside tuned         statistics.py    ROUGE-L, perplexity, intervals
gate.py           evaluation.require against the measures        evaluation.py    what came out, and its file
report.py         Markdown and HTML
"""
