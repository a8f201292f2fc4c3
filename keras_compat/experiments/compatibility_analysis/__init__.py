"""How compatible a method makes networks, and why (Sec. 4, Appendices A and B)."""
