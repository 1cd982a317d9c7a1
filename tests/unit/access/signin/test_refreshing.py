"""The family of refresh tokens, whatever its owner's tabs and a thief do, in whatever order and at whatever pace."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from keystead.access.signin import refreshing
from keystead.access.signin.refreshing import GRACE, REPEATED_MAX, Presented, Verdict
from keystead.kit.secret import Secret

KEY = Secret(b"k" * 32)
START = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass
class Server:
    """A session as the database keeps it, and the verb over it."""

    newest: int = 1
    replaced: list[int] = field(default_factory=list)
    is_over: bool = False
    issued: set[int] = field(default_factory=lambda: {1})

    def refresh(self, text: str, now: datetime) -> str | None:
        presented = refreshing.parse(text)
        assert presented is not None
        if self.is_over or not refreshing.is_genuine(presented, KEY):
            return None
        match refreshing.judge(presented.generation, newest=self.newest, replaced=self.replaced, now=now):
            case Verdict.REUSED:
                self.is_over = True
                return None
            case Verdict.EXCHANGE:
                self.newest, self.replaced = self.newest + 1, refreshing.replaced_now(self.replaced, now)
                self.issued.add(self.newest)
            case Verdict.REPEAT:
                pass
        return refreshing.token("session", self.newest, KEY).reveal()


class Family(RuleBasedStateMachine):
    """Two tabs with one cookie jar, each of which may have read it a moment ago, and a thief with a copy."""

    def __init__(self) -> None:
        super().__init__()
        self.server, self.now = Server(), START
        self.jar = refreshing.token("session", 1, KEY).reveal()
        self.read = [self.jar, self.jar]
        self.stolen: str | None = None
        self.replaced_at: dict[str, datetime] = {}

    @rule(seconds=st.integers(0, 120))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(tab=st.integers(0, 1))
    def a_tab_reads_the_jar(self, tab: int) -> None:
        self.read[tab] = self.jar

    @rule(tab=st.integers(0, 1))
    def a_tab_refreshes(self, tab: int) -> None:
        before, was_over = self.read[tab], self.server.is_over
        answer = self.server.refresh(before, self.now)
        if answer is None:
            is_late = before in self.replaced_at and self.now >= self.replaced_at[before] + GRACE
            assert was_over or is_late or self.stolen is not None or self.server.newest > REPEATED_MAX
            return
        self.replaced_at.setdefault(before, self.now)
        self.jar = answer

    @rule()
    def a_thief_copies_the_jar(self) -> None:
        self.stolen = self.jar

    @precondition(lambda self: self.stolen is not None)
    @rule()
    def the_thief_refreshes(self) -> None:
        assert self.stolen is not None
        answer = self.server.refresh(self.stolen, self.now)
        if answer is not None:
            self.replaced_at.setdefault(self.stolen, self.now)
            self.stolen = answer

    @invariant()
    def one_token_alone_is_worth_a_successor(self) -> None:
        worth = {
            one: refreshing.judge(one, newest=self.server.newest, replaced=self.server.replaced, now=self.now)
            for one in self.server.issued
        }
        assert [one for one, verdict in worth.items() if verdict is Verdict.EXCHANGE] == [self.server.newest]

    @invariant()
    def nothing_is_worth_anything_long_after_it_was_replaced(self) -> None:
        for text, at in self.replaced_at.items():
            found = refreshing.parse(text)
            assert found is not None
            if self.now >= at + GRACE and found.generation < self.server.newest:
                verdict = refreshing.judge(
                    found.generation, newest=self.server.newest, replaced=self.server.replaced, now=self.now
                )
                assert verdict is Verdict.REUSED

    @invariant()
    def generations_have_no_gap(self) -> None:
        assert self.server.issued == set(range(1, self.server.newest + 1))


TestFamily = Family.TestCase


@given(newest=st.integers(1, 50), age_s=st.integers(0, 1000), generation=st.integers(0, 60))
def test_only_the_newest_and_for_a_moment_those_before_are_worth_anything(
    newest: int, age_s: int, generation: int
) -> None:
    now = START + timedelta(seconds=age_s)

    replaced = refreshing.replaced_now([], START)

    verdict = refreshing.judge(generation, newest=newest, replaced=replaced, now=now)

    expected = Verdict.REUSED
    if generation == newest:
        expected = Verdict.EXCHANGE
    elif generation == newest - 1 and age_s < GRACE.total_seconds():
        expected = Verdict.REPEAT
    assert verdict is expected


@given(st.text(max_size=300))
def test_no_text_breaks_the_reading_of_a_token(text: str) -> None:
    found = refreshing.parse(text)

    assert found is None or not refreshing.is_genuine(found, KEY)


def test_a_token_proves_its_session_generation_and_key() -> None:
    found = refreshing.parse(refreshing.token("a1", 3, KEY).reveal())

    assert found is not None
    assert (found.session_id, found.generation, refreshing.is_genuine(found, KEY)) == ("a1", 3, True)
    for other in (Presented("a2", 3, found.proof), Presented("a1", 4, found.proof), Presented("a", 13, found.proof)):
        assert not refreshing.is_genuine(other, KEY)
    assert not refreshing.is_genuine(found, Secret(b"x" * 32))
