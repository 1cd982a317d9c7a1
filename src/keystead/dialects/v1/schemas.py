"""The native API's shapes: bodies are parsed with them, answers are documented and tested with them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SecretStr

from keystead.access.permissions import Permission
from keystead.dialects.v1.bases import Answer, Body, Moment
from keystead.dialects.v1.term_schemas import PlanName, Terms, TermsWish
from keystead.vpn.keyvalue import KeyStatus

KeyName = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]

# JSON has no enums: they are read from texts, everything else is what it says.
GrantedPermissions = Annotated[list[Annotated[Permission, Field(strict=False)]], Field(max_length=len(Permission))]


class KeyCreate(Body):
    """A new key."""

    name: KeyName | None = None
    placement: Literal["shared", "own-port"] = Field(
        "shared", description="own-port: a port of its own. Left out: the plan's, if it has one."
    )
    plan: PlanName | None = Field(None, description="Terms are copied from this plan.")
    terms: TermsWish | None = Field(None, description="Terms, or what decides in place of the plan's.")


class KeyChange(Body):
    """What to change; fields left out stay."""

    name: KeyName | None = None
    is_active: bool | None = None


class AddressUse(Answer):
    """How many addresses a key is used from now, and refused; ``refused_addresses`` needs ``vpn.addresses.read``."""

    active: int
    refused: int
    refused_addresses: list[str] | None


class Key(Answer):
    """A VPN key; it connects while ``is_active``, and ``state`` says why it does or does not.

    ``online`` counts live connections, null where nobody knows; ``addresses`` is null without ``vpn.addresses.read``.
    ``address_use`` is null for a key without an address limit.
    """

    id: str
    number: int
    name: str | None
    uuid: str
    placement: str
    port: int
    short_id: str
    server_name: str
    flow: str
    is_active: bool
    is_enabled: bool
    state: KeyStatus
    created_at: datetime
    terms: Terms | None
    online: int | None
    last_seen_at: datetime | None
    addresses: list[str] | None
    address_use: AddressUse | None


class KeyList(Answer):
    """A page of keys; ask again with ``after=next`` until ``next`` is null."""

    items: list[Key]
    total: int
    next: int | None


class Link(Answer):
    """A key's link."""

    id: str
    link: str


class Subscription(Answer):
    """The address that a customer's app polls."""

    url: str


class TokenCreate(Body):
    """A new token."""

    name: str
    permissions: GrantedPermissions
    addresses: Annotated[list[str], Field(max_length=100)] = Field([])
    expires_at: Moment | None = None
    is_confined: bool = False
    is_rate_limited: bool = Field(True, description="Whether the limits a minute of a wire hold it.")
    is_owner: bool = Field(False, description="Whether it may do whatever an owner may; ``permissions`` is then empty.")
    user_id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None


class Token(Answer):
    """A token without its secret."""

    id: int
    name: str
    kind: str
    hint: str
    permissions: list[str]
    addresses: list[str]
    is_confined: bool
    is_rate_limited: bool
    is_owner: bool
    user_id: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewToken(Token):
    """A token at its creation; ``secret`` is shown this once, and null when an answer is repeated."""

    secret: str | None


class TokenList(Answer):
    """A page of tokens."""

    items: list[Token]
    next: int | None


class UserCreate(Body):
    """A new user."""

    login: str
    password: SecretStr


class UserChange(Body):
    """What to change; fields left out stay."""

    is_active: bool | None = None
    password: SecretStr | None = None


class User(Answer):
    """A person."""

    id: int
    login: str
    is_active: bool
    created_at: datetime


class UserList(Answer):
    """A page of users."""

    items: list[User]
    next: int | None


class RoleCreate(Body):
    """A new role."""

    name: str
    permissions: GrantedPermissions


class Role(Answer):
    """A named set of permissions."""

    name: str
    permissions: list[str]


class RoleList(Answer):
    """All roles."""

    items: list[Role]


class Permissions(Answer):
    """Every permission there is."""

    items: list[str]


class AuditRecord(Answer):
    """Who did what to which object, and how it ended."""

    number: int
    at: datetime
    request_id: str
    actor: str
    verb: str
    subject: str
    outcome: str
    facts: dict[str, Any]
    is_sealed: bool


class AuditList(Answer):
    """A page of the audit trail."""

    items: list[AuditRecord]
    next: int | None


class Discrepancy(Answer):
    """One thing that is wrong with the audit trail."""

    finding: str
    message: str


class AuditVerified(Answer):
    """What a check of the whole audit trail found."""

    is_intact: bool
    sealed: int
    unsealed: int
    discrepancies: list[Discrepancy]


class Step(Answer):
    """One step of a plan."""

    kind: str
    subject: str
    verb: str
    before: str
    after: str
    reason: str
    risk: str
    places: list[str]


class Plan(Answer):
    """What would be done, or was; ``digest`` approves exactly this."""

    scope: str
    digest: str
    steps: list[Step]
    foreign: list[str]
    text: str


class PlanApproval(Body):
    """The plan that was reviewed."""

    digest: Annotated[str, Field(min_length=1, max_length=64)]


class Rotated(Answer):
    """What a rotation of keys did."""

    root_key: str
    resealed: int
    keys_deleted: int


class Rotating(Answer):
    """How far a rotation of keys is, or the last one came; several processes on one database tell of their own."""

    is_running: bool
    total: int = Field(description="How many secrets were to be sealed again when it began")
    resealed: int = Field(description="How many of them are")


class BackupRequest(Body):
    """What to encrypt a backup for; exactly one of the two."""

    model_config = ConfigDict(extra="forbid")
    passphrase: SecretStr | None = Field(None, description="At least 8 characters.")
    recipient: str | None = Field(None, description="An age recipient: age1…")


class ExportRequest(Body):
    """What to encrypt private keys, UUIDs and subscriptions' tokens for; with neither of the two they are left out."""

    model_config = ConfigDict(extra="forbid")
    passphrase: SecretStr | None = Field(None, description="At least 8 characters.")
    recipient: str | None = Field(None, description="An age recipient: age1…")


class WhoAmI(Answer):
    """The caller as Keystead sees it."""

    actor: str
    account_id: int
    token_id: int | None
    user_id: int | None
    is_confined: bool
    permissions: list[str]


class Health(Answer):
    """ok, degraded or unhealthy, and why."""

    status: str
    reasons: list[str]


class Check(Answer):
    """One check of the doctor; ``next`` is what to do about it."""

    name: str
    status: Literal["ok", "warn", "fail"]
    message: str
    next: str | None


class Setting(Answer):
    """A setting, its value (secrets are shown as set or unset) and where it comes from."""

    name: str
    value: str
    origin: str


class Diagnosis(Answer):
    """The doctor's findings."""

    status: Literal["ok", "warn", "fail"]
    checks: list[Check]
    settings: list[Setting]


class FieldError(Answer):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(Answer):
    """Any failure, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError]
