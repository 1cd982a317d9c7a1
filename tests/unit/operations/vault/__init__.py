"""Operations on credentials and what is done with them."""
