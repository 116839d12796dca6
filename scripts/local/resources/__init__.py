"""Azure ML's resources: a file each, with its routes beside what they do."""
