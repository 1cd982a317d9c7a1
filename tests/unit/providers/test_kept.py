from keystead.kit.secret import Secret
from keystead.providers.kept import SPARE_S, KeptTokens
from tests.support.clock import ManualClock


def test_a_token_is_kept_until_near_its_end() -> None:
    clock = ManualClock()
    kept = KeptTokens(clock)

    kept.keep("a", Secret("token"), 3600)

    assert kept.find("b") is None
    assert kept.find("a") == Secret("token")
    clock.advance(3600 - SPARE_S)
    assert kept.find("a") is None


def test_a_token_that_ends_at_once_is_not_kept() -> None:
    kept = KeptTokens(ManualClock())

    kept.keep("a", Secret("token"), int(SPARE_S))

    assert kept.find("a") is None


def test_a_forgotten_token_is_gone_and_forgetting_none_is_nothing() -> None:
    kept = KeptTokens(ManualClock())
    kept.keep("a", Secret("token"), 3600)

    kept.forget("a")
    kept.forget("a")

    assert kept.find("a") is None
