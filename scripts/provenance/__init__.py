"""Where does it come from? From the deployment that answers back to the data, a link a step, each looked at.

`trace` goes the way, `serving`, `trained` and `prepared` look at its parts, `tagged` at the tags, `tree` at what git
has of them; `shown` prints the line, `card` and `bom` write it for others.
"""
