"""How a domain move is carried out: its job, its stages, and what they share."""
