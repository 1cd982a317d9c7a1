"""Sources as a property test makes them up: few UUIDs, ports and names, so that everything collides."""

from datetime import timedelta

from hypothesis import strategies as st

from keystead.importing.found import (
    Found,
    FoundCustomer,
    FoundInbound,
    FoundLink,
    FoundTerms,
    NotCarried,
    Source,
    What,
)
from keystead.importing.planning import public_id_of
from keystead.importing.planvalue import Existing, ExistingInbound, ExistingKey, ExistingPair
from keystead.kit.secret import Secret
from keystead.vpn.accounting import Bytes
from keystead.vpn.periods import Period, Reset
from tests.support.panels import parts
from tests.support.panels.parts import NOW, VISION

TAGS = ("a", "b", "c")
_MANY = 2**40

uuids = st.integers(1, 6).map(parts.uuid_of) | st.integers(1, 6).map(lambda n: parts.twin_of(parts.uuid_of(n)))
bytes_ = st.builds(Bytes, st.integers(0, _MANY), st.integers(0, _MANY))
moments = st.integers(-(10**8), 10**8).map(lambda s: NOW + timedelta(seconds=s))
periods = st.sampled_from(
    [Period(), Period(Reset.DAY), Period(Reset.MONTH, month_day=31), Period(Reset.ROLLING, days=30)]
)


@st.composite
def inbounds(draw: st.DrawFn) -> tuple[FoundInbound, ...]:
    made = []
    for tag in draw(st.lists(st.sampled_from(TAGS), unique=True)):
        pair = parts.pair(draw(st.integers(0, 1)))
        made.append(
            FoundInbound(
                tag,
                draw(st.sampled_from(["0.0.0.0", "127.0.0.1", "::"])),
                draw(st.sampled_from([443, 8443])),
                pair.private_key,
                pair.public_key,
                parts.TARGET,
                parts.SERVER_NAMES,
                parts.SHORT_IDS,
                draw(st.booleans()),
            )
        )
    return tuple(made)


terms = st.builds(
    FoundTerms,
    quota_bytes=st.none() | st.integers(0, _MANY),
    used=bytes_,
    lifetime=st.none() | bytes_,
    expires_at=st.none() | moments,
    hold_s=st.none() | st.integers(0, 10**8),
    period=periods,
    period_began_at=st.none() | moments,
    address_limit=st.none() | st.integers(1, 1000),
    device_limit=st.none() | st.integers(1, 100),
)


@st.composite
def founds(draw: st.DrawFn) -> Found:
    listeners = draw(inbounds())
    links = st.builds(
        FoundLink,
        st.sampled_from([inbound.tag for inbound in listeners]) if listeners else st.nothing(),
        st.sampled_from(["", VISION]),
        st.just(parts.SHORT_IDS[0]),
        st.just(parts.SERVER_NAMES[0]),
    )
    customers = st.builds(
        FoundCustomer,
        source_id=st.integers(1, 30).map(str),
        name=st.text(max_size=5),
        uuid=st.none() | uuids,
        links=st.lists(links, max_size=3).map(tuple) if listeners else st.just(()),
        is_enabled=st.booleans(),
        created_at=st.none() | moments,
        terms=terms,
        subscription_token=st.none() | st.integers(1, 4).map(lambda n: Secret(f"token-{n}")),
        not_carried=st.just(()) | st.just((NotCarried(What.PROTOCOL, "Trojan is not carried"),)),
        number=st.none() | st.integers(1, 5),
    )
    return Found(Source.XUI, listeners, tuple(draw(st.lists(customers, max_size=12))))


@st.composite
def existings(draw: st.DrawFn) -> Existing:
    keys = st.builds(
        ExistingKey,
        st.integers(1, 100),
        st.integers(1, 30).map(lambda n: public_id_of("3x-ui", str(n))),
        uuids,
    )
    pair = parts.pair(draw(st.integers(0, 1)))
    inbound = ExistingInbound("shared", "0.0.0.0", 443, pair.public_key, parts.SERVER_NAMES[:1], parts.SHORT_IDS[:1])
    second = ExistingPair(parts.pair(draw(st.integers(0, 2))).public_key, ("a.example",), ("00",))
    here = draw(st.booleans())
    return Existing(
        keys=tuple(draw(st.lists(keys, max_size=3))),
        inbounds=(inbound,) if here else (),
        ports=draw(st.sampled_from([{}, {8443: "nginx"}])),
        main=draw(st.sampled_from([None, inbound])) if here else None,
        second=draw(st.sampled_from([None, second])),
    )
