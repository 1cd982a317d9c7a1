"""Operations at one outside provider each: connect it, and act with its credential."""
