"""Operations on VPN keys and what belongs to them: each with its wait for the engine, and its undoing."""
