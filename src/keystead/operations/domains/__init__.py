"""Operations on domains, zones, records and redirects, whichever provider has them."""
