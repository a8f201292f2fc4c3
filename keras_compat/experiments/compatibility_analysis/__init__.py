"""Analysis of how compatible each method makes networks (Sec. 4, Appendices A and B)."""
