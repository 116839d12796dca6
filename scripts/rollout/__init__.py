"""A new deployment beside the one that answers: asked first, given the traffic in steps, taken back if it is worse."""
