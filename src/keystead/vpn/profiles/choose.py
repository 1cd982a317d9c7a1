"""Which format a program gets when it does not ask for one: that of its family, by its User-Agent.

Sources beside those of the table of families: Marzban app/routers/subscription.py, the response rules of PasarGuard and
Remnawave.
"""

from keystead.vpn import families
from keystead.vpn.profiles.forms import Format


def choose(user_agent: str, accept: str) -> Format:
    """Return the format for a program; a browser (one that accepts HTML) gets the page, the unknown get base64.

    Base64 is the default because it is the oldest form, and a client that cannot say its name is an old one.
    """
    row = families.of_program(user_agent)
    if row is not None:
        return row.given
    return Format.PAGE if "text/html" in accept.lower() else Format.BASE64
