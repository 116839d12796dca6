"""Talk to the deployment: `python -m scripts.chat` in a terminal, `python -m scripts.chat.web` in a browser.

conversation.py   turns, system prompt, parameters, the row that is saved     page.html.j2   the page of web.py
"""
