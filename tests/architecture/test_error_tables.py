"""Every error of the tree, wherever it is defined, against the table of every dialect."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator

import pytest

import keystead
from keystead.dialects.auth import errors as auth
from keystead.dialects.integrations import errors as integrations
from keystead.dialects.subscription import errors as subscription
from keystead.dialects.v1 import errors as v1
from keystead.dialects.veil import errors as veil
from keystead.dialects.vpnkeys import errors as vpnkeys
from keystead.kit import errors as tree

Kind = type[tree.KeysteadError]

STATUS_OF: dict[str, Callable[[Kind], int]] = {
    "auth": lambda kind: auth.row_of(kind).status,
    "integrations": lambda kind: integrations.row_of(kind).status,
    "subscription": lambda kind: subscription.row_of(kind).status,
    "v1": lambda kind: v1.row_of(kind).status,
    "veil": lambda kind: veil.ERRORS.row_of(kind).status,
    "vpnkeys": lambda kind: vpnkeys.ERRORS.row_of(kind).status,
}
# Nothing the caller could do differently, and nothing that waiting cures.
MAY_BE_500 = (tree.Broken, tree.Misconfigured, tree.StorageFailed, tree.Rejected)
# Running these modules is not importing them.
NOT_IMPORTED = ("keystead.__main__", "keystead.db.migrations")


def below(kind: Kind) -> Iterator[Kind]:
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


def _is_served(kind: Kind) -> bool:
    return kind.__module__.startswith("keystead.") and not kind.__module__.startswith("keystead.cli.")


def every_kind() -> list[Kind]:
    """Return every class of the tree that any of our modules defines, in a stable order.

    What the command line makes of an answer goes on no wire.
    """
    for module in pkgutil.walk_packages(keystead.__path__, "keystead."):
        if not module.name.startswith(NOT_IMPORTED):
            importlib.import_module(module.name)
    ours = {kind for kind in below(tree.KeysteadError) if _is_served(kind)}
    return sorted(ours, key=lambda kind: f"{kind.__module__}.{kind.__name__}")


KINDS = every_kind()


def test_the_tree_is_seen_whole() -> None:
    names = {kind.__name__ for kind in KINDS}

    assert {"Throttled", "KeyNotFound", "NoValidTarget", "RevocationPending", "Broken"} <= names


def test_every_dialect_is_here() -> None:
    import keystead.dialects

    assert {package.name for package in pkgutil.iter_modules(keystead.dialects.__path__)} == set(STATUS_OF)


@pytest.mark.parametrize("dialect", STATUS_OF)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_row_and_only_ours_are_internal(kind: Kind, dialect: str) -> None:
    status = STATUS_OF[dialect](kind)

    assert 400 <= status <= 599
    assert status != 500 or issubclass(kind, MAY_BE_500)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_code_of_its_own_form(kind: Kind) -> None:
    assert kind.code.replace("_", "").isalpha()
    assert kind.code == kind.code.lower() != "error"
