"""What every part of the emulator stands on: its state, the store, the small web framework, operations, processes."""
