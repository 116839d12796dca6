"""Estimates of a fine-tuning run before it is paid for: memory per GPU, hours, and price. Plain data in, no network."""
