"""A row of the source becomes a conversation: a list of {role, content} messages, whatever columns it came in.

mapper        rows of a chunk into conversations; what each column came to
ways          which columns of a row hold what, told by their names and once for each shape of row
turns         a list of messages in any dialect
side_columns  what stands beside the conversation: system message, label, pictures
pairs         a question and an answer in columns of their own, preferences among them
columnar      Arrow's fast path, and the null keys that Arrow adds
"""
