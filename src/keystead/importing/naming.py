"""The digest of a plan: it names what was read and what was answered, so that only what was approved is applied.

Traffic plays no part, since a running panel goes on counting; nor does what is here, since an import that broke off
goes on under the same approval. Whatever is here by then can only add refusals; but that a pair comes to be served
beside ours is part of it, before and after it is.
"""

import hashlib
from collections.abc import Collection, Sequence

import orjson

from keystead.importing.found import Found, FoundCustomer, FoundInbound
from keystead.kit.crypto import fingerprint


def digest_of(found: Found, *, origin: str, prefer: Sequence[str], beside: Collection[str] = ()) -> str:
    """Return SHA-256, as hexadecimal, over who and what is taken over, and the answers given.

    ``beside`` are the tags of inbounds whose pair is served beside ours.
    """
    whole: list[object] = [
        found.source.value,
        origin,
        list(prefer),
        [_inbound(inbound) for inbound in found.inbounds],
        [_customer(customer) for customer in found.customers],
    ]
    if found.plans:
        whole.append([[plan.name, plan.starts.value, repr(plan.terms), plan.placement] for plan in found.plans])
    if beside:
        whole.append(sorted(beside))
    return hashlib.sha256(orjson.dumps(whole, default=str)).hexdigest()


def _inbound(inbound: FoundInbound) -> list[object]:
    return [
        inbound.tag,
        inbound.listen,
        inbound.port,
        inbound.public_key,
        inbound.target,
        inbound.server_names,
        inbound.short_ids,
        inbound.is_enabled,
    ]


def _customer(customer: FoundCustomer) -> list[object]:
    terms, token = customer.terms, customer.subscription_token
    return [
        customer.source_id,
        customer.name,
        customer.uuid,
        [[link.inbound, link.flow, link.short_id, link.server_name] for link in customer.links],
        customer.is_enabled,
        [terms.quota_bytes, terms.expires_at, terms.hold_s, repr(terms.period)],
        [terms.address_limit, terms.device_limit],
        None if customer.held is None else repr(customer.held.terms),
        None if token is None else fingerprint(token.reveal()),
        [note.sentence for note in customer.not_carried],
    ]
