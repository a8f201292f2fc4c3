"""Running an experiment: its folder, its work items, checkpoints and processes."""
