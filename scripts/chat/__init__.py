"""Talk to the deployment: `python -m scripts.chat` in a terminal, `python -m scripts.chat.web` in a browser.

terminal.py   lines, commands, answers      web.py, page.html.j2 the page and who may ask
base.py       the base model, asked beside the tuned one on request
turns.py      the conversation so far, kept as a row of training data where that is asked for
"""
