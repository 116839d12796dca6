"""What a change does to each environment: `make review` compares a base commit with the tree that lies here.

`base` gets the commit's files, `tree` looks at an environment in one tree, `compare` at two, `shown` prints,
`rehearsed` adds what a rehearsal of this YAML showed.
"""
