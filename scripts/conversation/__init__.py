"""What a chat is: template, trained tokens, request, answer, questions."""
