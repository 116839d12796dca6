"""How much the deployment takes: `python -m scripts.loadtest --env ENV`.

    load.py     clients that ask, one question after the other, at a level of concurrency       advice.py   knee, values

Written on httpx instead of a load tool (locust, k6): what is needed is closed loops of a few dozen clients, the key in
this process only, and tokens counted in the answers; locust would bring gevent, a web server and pyzmq for that.
"""
