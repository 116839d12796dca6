"""What Azure ML was recorded to answer: the form of the table, an answer compared with it, a live workspace asked."""
