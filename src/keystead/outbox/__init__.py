"""What the outside is told: events, written with the change they tell of, and the courier that delivers them."""
