"""The studies of the compatibility analysis: which networks each needs and what it measures."""
