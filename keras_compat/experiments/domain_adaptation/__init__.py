"""A network is adapted to images without labels, and keeps its classifier (Sec. 5.1)."""
