"""Operations on what is kept for outside providers: credentials, and the errands that follow from them."""
