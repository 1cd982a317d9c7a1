"""How long what others have to take is tried again: twelve attempts over about a day, ever later; pure.

For webhooks' deliveries and alerts' mails: who is away for a night gets everything, who is gone is not called for ever.
"""

DELAYS_S = (5, 30, 120, 600, 1800, 3600, 7200, 10800, 14400, 18000, 25200)


def delay_s(attempts: int) -> int | None:
    """Return how long to wait after so many attempts; None when there is no further one."""
    return None if attempts > len(DELAYS_S) else DELAYS_S[max(attempts, 1) - 1]
