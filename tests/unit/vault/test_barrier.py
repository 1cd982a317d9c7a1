"""The vault's storage as a barrier: whoever has the rows has no secret, and cannot make one open as another.

The properties are those that stores of secrets are commonly tested for: confidentiality, integrity, no moving of
ciphertexts, unique nonces, rotation and reload. Deleting or rolling back rows is not among them: a database can do
that.
"""

import asyncio
import base64
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from keystead.access import datakeys, rotation
from keystead.db.base import METADATA
from keystead.kit.crypto import KeyRing, Place, new_key
from keystead.kit.errors import Broken, Misconfigured
from keystead.kit.secret import Secret
from keystead.sealing import SEALED_COLUMNS
from keystead.vault import credentials, errands, relays
from keystead.vault.models import CREDENTIALS, ERRANDS, RELAYS
from keystead.vault.relays import Way
from keystead.vault.sealed import CREDENTIAL_SECRET, ERRAND_SECRET, RELAY_AUTH
from tests.support.work import TEST_KEY, Workplace
from tests.unit.vault.shelf import added, reserved

PLAIN = st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable())
RING = KeyRing({"test": TEST_KEY}, newest="test")
# How long drawing and trying take is the machine's affair, and no property of the barrier.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
PLACES = st.builds(
    Place,
    st.sampled_from(["credentials", "provider_relays", "vault_errands"]),
    st.integers(1, 1000).map(str),
    st.sampled_from(["secret", "auth"]),
)


@PATIENT
@given(plain=PLAIN, place=PLACES)
def test_what_is_stored_does_not_hold_the_secret(plain: str, place: Place) -> None:
    sealed = RING.seal(Secret(plain), place)

    raw = bytes.fromhex(sealed.split(":", 2)[2])
    assert RING.open(sealed, place).reveal() == plain
    assert len(plain.encode()) < 4 or plain.encode() not in raw + sealed.encode()


@PATIENT
@given(plain=PLAIN, place=PLACES, position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_flipped_byte_anywhere_does_not_open(plain: str, place: Place, position: int, flip: int) -> None:
    version, name, body = RING.seal(Secret(plain), place).split(":", 2)
    raw = bytearray.fromhex(body)
    raw[position % len(raw)] ^= flip

    with pytest.raises(Broken):
        RING.open(f"{version}:{name}:{raw.hex()}", place)


@PATIENT
@given(plain=PLAIN, place=PLACES, kept=st.integers(0, 27))
def test_a_shortened_value_does_not_open(plain: str, place: Place, kept: int) -> None:
    version, name, body = RING.seal(Secret(plain), place).split(":", 2)
    shortened = bytes.fromhex(body)[:kept].hex()

    with pytest.raises(Broken):
        RING.open(f"{version}:{name}:{shortened}", place)


@pytest.mark.parametrize("body", ["", "zz", "abc", "«»"])
def test_what_is_no_sealed_value_does_not_open(body: str) -> None:
    with pytest.raises(Broken):
        RING.open(f"v2:test:{body}", Place("credentials", "1", "secret"))


@PATIENT
@given(text=st.text(max_size=40).filter(lambda text: text.count(":") < 2))
def test_what_has_not_the_form_of_a_sealed_value_does_not_open(text: str) -> None:
    with pytest.raises(Broken):
        RING.open(text, Place("credentials", "1", "secret"))


@PATIENT
@given(plain=PLAIN, place=PLACES)
def test_a_value_of_the_former_form_opens_and_is_outdated(plain: str, place: Place) -> None:
    _, name, body = RING.seal(Secret(plain), place).split(":", 2)
    former = f"v1:{name}:{base64.b64encode(bytes.fromhex(body)).decode()}"

    assert RING.open(former, place).reveal() == plain
    assert not RING.is_current(former)


@PATIENT
@given(plain=PLAIN, here=PLACES, there=PLACES)
def test_a_value_opens_in_its_own_place_only(plain: str, here: Place, there: Place) -> None:
    sealed = RING.seal(Secret(plain), here)

    if here == there:
        assert RING.open(sealed, there).reveal() == plain
    else:
        with pytest.raises(Broken):
            RING.open(sealed, there)


@settings(PATIENT, max_examples=20)
@given(plain=PLAIN)
def test_a_nonce_is_never_used_twice(plain: str) -> None:
    place = Place("credentials", "1", "secret")
    sealed = [bytes.fromhex(RING.seal(Secret(plain), place).split(":", 2)[2]) for _ in range(50)]

    assert len({value[:12] for value in sealed}) == len(sealed)
    assert len({value[12:] for value in sealed}) == len(sealed)


async def test_another_key_opens_nothing(workplace: Workplace) -> None:
    found = await added(workplace)
    workplace.keys = KeyRing({"other": new_key()}, newest="other")

    with pytest.raises(Misconfigured, match="under key test"):
        await workplace.do(credentials.reveal, found.id)


async def test_a_ciphertext_moved_to_another_credential_does_not_open(workplace: Workplace) -> None:
    mine = await added(workplace, "mine")
    other = await added(workplace, "theirs", "another")

    def move(connection: Connection) -> None:
        stolen = connection.execute(select(CREDENTIALS.c.secret).where(CREDENTIALS.c.id == other.id)).scalar_one()
        connection.execute(update(CREDENTIALS).where(CREDENTIALS.c.id == mine.id).values(secret=stolen))

    await workplace.database.write(move)

    with pytest.raises(Broken, match="changed or moved"):
        await workplace.do(credentials.reveal, mine.id)


async def test_a_ciphertext_moved_to_another_table_does_not_open(workplace: Workplace) -> None:
    holding = await reserved(workplace)
    found = await added(workplace)

    def move(connection: Connection) -> None:
        stolen = connection.execute(select(ERRANDS.c.secret).where(ERRANDS.c.id == holding.sweep)).scalar_one()
        connection.execute(update(CREDENTIALS).where(CREDENTIALS.c.id == found.id).values(secret=stolen))

    await workplace.database.write(move)

    with pytest.raises(Broken):
        await workplace.do(credentials.reveal, found.id)


async def test_no_secret_is_in_any_table(workplace: Workplace) -> None:
    await added(workplace, "CANARY-credential")
    await reserved(workplace, bootstrap="CANARY-bootstrap")
    way = Way("192.0.2.1", "https://relay.example.com", "relay.example.com", Secret("Basic CANARY-relay"))
    await workplace.do(relays.set_, "namecheap", way)

    def everything(connection: Connection) -> str:
        return repr([connection.execute(select(table)).all() for table in METADATA.sorted_tables])

    stored = await workplace.database.read(everything)

    assert "CANARY" not in stored
    assert "relay.example.com" in stored


async def test_rotation_reaches_every_secret_of_the_vault_and_a_reload_opens_them(
    workplace: Workplace, tmp_path: Path
) -> None:
    root = datakeys.load_root_key(tmp_path, None)
    keys = await workplace.database.write(
        lambda connection: datakeys.open_keys(connection, root, workplace.clock.now())
    )
    workplace.keys = keys.ring
    found = await added(workplace, "a secret")
    holding = await reserved(workplace)
    way = Way("192.0.2.1", "https://relay.example.com", "relay.example.com", Secret("Basic cGFzcw=="))
    await workplace.do(relays.set_, "namecheap", way)

    rotated = await rotation.rotate(workplace.database, root, keys.ring, SEALED_COLUMNS, clock=workplace.clock)

    reloaded = datakeys.load_root_key(tmp_path, None)
    opened = await workplace.database.write(
        lambda connection: datakeys.open_keys(connection, reloaded, workplace.clock.now())
    )
    workplace.keys = opened.ring
    assert rotated.resealed >= 3
    assert (await workplace.do(credentials.reveal, found.id)).reveal() == "a secret"
    assert await workplace.do(relays.way_for, "namecheap") == way
    assert await of_errand(workplace, holding.sweep) == "bootstrap"


@pytest.mark.parametrize("turns", range(12))
async def test_a_write_that_is_cancelled_is_whole_or_not_there(workplace: Workplace, turns: int) -> None:
    writing = asyncio.ensure_future(added(workplace, "a secret"))
    for _ in range(turns):
        await asyncio.sleep(0)

    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing

    # What a cancelled write had begun ends before whatever comes after it.
    held = await workplace.do(credentials.list_)
    opened = [(await workplace.do(credentials.reveal, one.id)).reveal() for one in held]
    assert opened in ([], ["a secret"])
    again = await added(workplace, "another", "another")
    assert (await workplace.do(credentials.reveal, again.id)).reveal() == "another"


@pytest.mark.parametrize("turns", range(0, 60, 6))
async def test_a_rotation_that_is_cancelled_leaves_everything_to_be_opened_and_goes_on(
    workplace: Workplace, tmp_path: Path, turns: int
) -> None:
    root = datakeys.load_root_key(tmp_path, None)
    keys = await workplace.database.write(partial(datakeys.open_keys, root=root, now=workplace.clock.now()))
    workplace.keys = keys.ring
    held = [await added(workplace, f"secret {number}", f"account-{number}") for number in range(25)]
    turning = asyncio.ensure_future(
        rotation.rotate(workplace.database, root, keys.ring, SEALED_COLUMNS, clock=workplace.clock)
    )
    for _ in range(turns):
        await asyncio.sleep(0)

    turning.cancel()
    with suppress(asyncio.CancelledError):
        await turning
    started = datakeys.load_root_key(tmp_path, None)
    reopened = await workplace.database.write(partial(datakeys.open_keys, root=started, now=workplace.clock.now()))
    await rotation.rotate(workplace.database, started, reopened.ring, SEALED_COLUMNS, clock=workplace.clock)

    workplace.keys = reopened.ring
    opened = [(await workplace.do(credentials.reveal, one.id)).reveal() for one in held]
    assert opened == [f"secret {number}" for number in range(25)]


async def of_errand(workplace: Workplace, errand_id: int) -> str:
    sealed = await workplace.database.read(
        lambda connection: connection.execute(select(ERRANDS.c.secret).where(ERRANDS.c.id == errand_id)).scalar_one()
    )
    return workplace.keys.open(sealed, ERRAND_SECRET.place(errand_id)).reveal()


def test_every_sealed_column_of_the_vault_is_rotated() -> None:
    named = {column.name for table in (CREDENTIALS, ERRANDS, RELAYS) for column in table.c}

    assert {"secret", "auth"} <= named
    assert {CREDENTIAL_SECRET, ERRAND_SECRET, RELAY_AUTH} <= set(SEALED_COLUMNS)
    assert errands.Kind.SWEEP in errands.Kind
