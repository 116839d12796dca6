"""What Azure ML is: its facts, its client, its login."""
