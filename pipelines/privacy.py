"""Keeps account of what buyers and shops ask of their data: a person answers it, or the hub did when it came."""

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert

from connectors.orders import Notice
from core.clock import now
from core.database import UnitOfWork
from core.errors import Refused, there_is
from core.tables import AuditRecord
from models.privacy import PrivacyRequest
from models.shops import Shop

KINDS = {
    "customers/data_request": "data_request", "customers/redact": "redact", "shop/redact": "shop_redact",
}  # fmt: skip
"""Shopify's topics, see connectors/shops/shopify/privacy.py."""


def note(uow: UnitOfWork, shop: Shop, told: Sequence[Notice]) -> bool:
    """Stores one call of the shop's, which comes as a notice for each order it names; False where it was stored before.

    What asks for nothing but forgetting is answered with it: pipelines/orders/receive.py does that in the same unit of work.
    """
    kind = KINDS.get(told[0].topic) if told else None
    if kind is None:
        return False
    waits = kind == "data_request"
    stored = uow.session.execute(
        insert(PrivacyRequest)
        .values(
            shop_id=shop.id, delivery_id=told[0].delivery_id[:200], kind=kind,
            orders=[one.external_id for one in told if one.external_id],
            answered_at=None if waits else now(), answered_by=None if waits else "hub",
        )
        .on_conflict_do_nothing()
        .returning(PrivacyRequest.id)
    ).first()  # fmt: skip
    return stored is not None


def answered(uow: UnitOfWork, request_id: int, actor: str) -> PrivacyRequest:
    """Notes that the buyer's data was sent. Raises Refused where there is no such request, or it was answered before."""
    found = there_is(
        uow.session.get(PrivacyRequest, request_id, with_for_update=True), f"Privacy request {request_id}"
    )
    if found.answered_at is not None:
        raise Refused(
            f"Privacy request {request_id} was answered already, on {found.answered_at:%Y-%m-%d}.",
            rule="answered",
        )
    found.answered_at, found.answered_by = now(), actor
    uow.session.add(
        AuditRecord(
            actor=actor, act="privacy request answered", subject=f"privacy:{request_id}",
            words="The data kept of the buyer was sent to the shop's owner.", facts={"shop": found.shop_id},
        )
    )  # fmt: skip
    return found
