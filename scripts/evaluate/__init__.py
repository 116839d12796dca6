"""Base against tuned: `python -m scripts.evaluate --env ENV`.

cases.py       held-out conversations, last answer withheld      general.json   questions that both should know
statistics.py  ROUGE-L, perplexity, bootstrap intervals           judge.py       empty, refused, right: what an answer is
weights.py     where the two models' files come from             engine.py      losses and answers from weights
measure.py     answers to measures, base beside tuned            gate.py        evaluation.require against the measures
report.py      Markdown and HTML                                  template.py    is the chat template still there?
"""
