from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from keystead.access.signin import accesstokens
from keystead.access.signin.errors import AccessTokenOver, AccessTokenWrong, FingerprintMismatch
from keystead.access.signin.rules import Binding, Visit
from keystead.access.signin.signingkeys import ACCESS_LIFE, SigningKey
from keystead.kit.secret import Secret

KEY = SigningKey("v1-20300101-aa", Secret(b"k" * 32))
NOW = datetime(2030, 1, 1, tzinfo=UTC)
HERE = Visit("192.0.2.1", "Firefox")
ELSEWHERE = Visit("192.0.2.2", "Firefox")
OTHER_BROWSER = Visit("192.0.2.1", "curl")


def issued(binding: Binding) -> str:
    return accesstokens.issue(
        KEY, user_id=1, account_id=2, session_id="a1", marks=HERE.marks(binding), now=NOW
    ).reveal()


def signed(claims: dict[str, Any], key: bytes = b"k" * 32) -> str:
    return jwt.encode({"alg": "HS256", "kid": KEY.kid}, claims, OctKey.import_key(key))


def test_a_token_says_who_where_and_for_how_long() -> None:
    token = issued(Binding.OFF)

    claims = accesstokens.read(token, KEY, NOW)

    assert accesstokens.is_one(token)
    assert accesstokens.kid_of(token) == KEY.kid
    assert (claims.user_id, claims.account_id, claims.session_id, claims.fingerprint) == (1, 2, "a1", None)
    with pytest.raises(AccessTokenOver):
        accesstokens.read(token, KEY, NOW + ACCESS_LIFE)


@pytest.mark.parametrize(
    ("binding", "refused"),
    [(Binding.IP_UA, [ELSEWHERE, OTHER_BROWSER]), (Binding.UA, [OTHER_BROWSER]), (Binding.OFF, [])],
)
def test_a_token_is_bound_to_what_the_settings_say(binding: Binding, refused: list[Visit]) -> None:
    claims = accesstokens.read(issued(binding), KEY, NOW)

    for visit in (HERE, ELSEWHERE, OTHER_BROWSER):
        if visit in refused:
            with pytest.raises(FingerprintMismatch):
                accesstokens.check_binding(claims, KEY, visit, binding)
        else:
            accesstokens.check_binding(claims, KEY, visit, binding)


def test_an_unbound_token_opens_nothing_once_tokens_are_bound() -> None:
    claims = accesstokens.read(issued(Binding.OFF), KEY, NOW)

    with pytest.raises(FingerprintMismatch):
        accesstokens.check_binding(claims, KEY, HERE, Binding.IP_UA)


def test_a_fingerprint_needs_the_key() -> None:
    other = replace(KEY, secret=Secret(b"x" * 32))

    assert accesstokens.fingerprint(KEY, "192.0.2.1:Firefox") != accesstokens.fingerprint(other, "192.0.2.1:Firefox")
    assert "192.0.2.1" not in issued(Binding.IP_UA)


GOOD = {"typ": "access", "user_id": 1, "account_id": 2, "session_id": "a", "exp": int(NOW.timestamp()) + 60}


@pytest.mark.parametrize(
    "token",
    [
        signed(GOOD, key=b"x" * 32),
        signed(GOOD | {"typ": "refresh"}),
        signed({name: value for name, value in GOOD.items() if name != "exp"}),
        signed(GOOD | {"exp": "later"}),
        signed(GOOD | {"user_id": None}),
        "eyJhbGciOiJub25lIiwia2lkIjoidjEifQ." + signed(GOOD).split(".")[1] + ".",
        signed(GOOD)[:-4],
        "ey.ey.ey",
    ],
)
def test_what_was_not_signed_so_is_wrong(token: str) -> None:
    with pytest.raises(AccessTokenWrong):
        accesstokens.read(token, KEY, NOW + timedelta(seconds=1))


@pytest.mark.parametrize("text", ["ks_api_0000_1", "a.b.c", "ey" + "x" * 5000 + ".a.b", "ey"])
def test_other_credentials_are_no_access_tokens(text: str) -> None:
    assert not accesstokens.is_one(text)
