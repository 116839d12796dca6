"""Jobs: reading and checking what was submitted, and running its steps as processes."""
