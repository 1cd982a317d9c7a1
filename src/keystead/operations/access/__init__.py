"""Operations on who may do what: tokens, users, roles, sign-in, the audit trail, webhooks."""
