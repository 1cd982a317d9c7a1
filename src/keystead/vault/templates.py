"""The verbs of templates: keep one by its name, show them, delete one. What applies one is ``rollouts``."""

from sqlalchemy.exc import IntegrityError

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.errors import AlreadyExists, NotFound
from keystead.vault import templatevalue
from keystead.vault.store import templates as store
from keystead.vault.store.templates import Kept
from keystead.vault.templatevalue import Template


@requires(Permission.VAULT_READ)
def list_(work: Work) -> list[Kept]:
    """Return the account's templates by name."""
    return store.list_(work.connection, work.principal.account_id)


@requires(Permission.VAULT_READ)
def find(work: Work, name: str) -> Kept:
    """Return a template; raise NotFound."""
    found = store.find(work.connection, work.principal.account_id, name)
    if found is None:
        raise NotFound("template", name)
    return found


@requires(Permission.VAULT_USE)
def put(work: Work, template: Template) -> Kept:
    """Keep a template by its name, in the place of the one that has it; nothing is applied by that."""
    body = templatevalue.checked(template).as_data()
    try:
        is_new = store.put(work.connection, work.principal.account_id, template.name, body, work.now)
    except IntegrityError as error:
        raise AlreadyExists(f"a template {template.name} was made at this moment; try again") from error
    counted = {"records": len(template.records), "redirects": len(template.redirects)}
    work.audit("vault.template.set", subject(template.name), is_new=is_new, **counted)
    return find(work, template.name)


@requires(Permission.VAULT_USE)
def remove(work: Work, name: str) -> None:
    """Delete a template; what it made stays where it is."""
    if not store.remove(work.connection, work.principal.account_id, name):
        raise NotFound("template", name)
    work.audit("vault.template.remove", subject(name))


def subject(name: str) -> str:
    """Return how audit records name a template."""
    return f"template {name}"
