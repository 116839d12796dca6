"""What runs in the workspaces of all environments, what it bills, what is past its time to live, and deleting that."""
