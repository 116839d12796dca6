"""What this machine and login lack for the chain, each with its remedy; nothing is changed, made or started."""
