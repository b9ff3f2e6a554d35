"""Guard rails of a push by itself: what takes too much out of sale or cuts a price too far waits for a person, stock does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.database import UnitOfWork
from core.errors import Temporary
from models.events import PushDue
from models.shops import Push, Shop
from pipelines.listings.settings import settings_of

ALONE = {"create": 0, "update": 0, "stock": 0, "withdraw": 0, "limits": [], "only": "stock"}
"""The plan of a push that sends stock and nothing else, as much of it as differs when it runs."""
FEW = 5
"""A shop with fewer live listings has no share worth watching."""
UNDO_PATIENCE = 5.0
"""Seconds until a plan looks again whether an undo has ended."""
EXAMPLES = 3
"""How many listings a sentence names."""

STOCK_DIFFERS = """l.shop_id = %(shop)s AND l.differs AND l.wanted IS NOT NULL AND l.sent IS NOT NULL AND l.external_id IS NOT NULL
  AND l.state IN ('sent', 'live', 'drifted', 'refused') AND l.wanted->'stock' <> l.sent->'stock' AND jsonb_typeof(l.sent->'stock') = 'number'"""
"""Whatever else differs: a figure never waits for a price or a page. One that nobody knows is read first (settle.py)."""

LEAVING = """
SELECT count(*) AS leaving, coalesce((array_agg(v.title || ' (' || v.sku || ')' ORDER BY l.id))[1:%(examples)s], '{}')
FROM listing l JOIN variant v ON v.id = l.variant_id
WHERE l.shop_id = %(shop)s AND l.differs AND l.wanted IS NULL"""

LIVE = "SELECT count(*) FROM listing WHERE shop_id = %(shop)s AND state IN ('sent', 'live', 'drifted')"

FALLEN = """
SELECT v.title || ' (' || v.sku || ')', l.sent->>'price', l.wanted->>'price', l.wanted->>'currency', count(*) OVER ()
FROM listing l JOIN variant v ON v.id = l.variant_id
WHERE l.shop_id = %(shop)s AND l.differs AND l.wanted->>'currency' = l.sent->>'currency'
  AND (l.wanted->>'price')::numeric * 100 < (l.sent->>'price')::numeric * (100 - %(percent)s)
ORDER BY (l.wanted->>'price')::numeric / nullif((l.sent->>'price')::numeric, 0), l.id LIMIT %(examples)s"""


@dataclass(frozen=True, slots=True)
class Breach:
    """What a push would do, counted: `leaving` of `live` listings, and the prices that fall too far.

    `gone` and `fallen` are examples: titles, and (title, from, to, currency).
    """

    live: int
    leaving: int = 0
    falling: int = 0
    gone: Sequence[str] = field(default_factory=tuple)
    fallen: Sequence[tuple[str, str, str, str]] = field(default_factory=tuple)


def reasons_to_wait(uow: UnitOfWork, shop: Shop, planned: Mapping[str, int]) -> list[str]:
    """Why a push that does `planned` (a count for each kind of difference) waits for a person; [] where it may go."""
    if not any(number for kind, number in planned.items() if kind != "stock"):
        return []
    held = [shop.held_why] if shop.held_why else []
    return held + beyond_limits(uow, shop)


def start_stock(uow: UnitOfWork, shop: Shop) -> Push | None:
    """Lets the stock go while everything else waits for a person; None where no figure differs."""
    differs = f"SELECT FROM listing l WHERE {STOCK_DIFFERS} LIMIT 1"
    if uow.cursor().execute(differs.encode(), {"shop": shop.id}).fetchone() is None:
        return None
    push = Push(shop_id=shop.id, state="running", plan={**ALONE}, asked_by="hub")
    uow.session.add(push)
    uow.session.flush()
    uow.emit(PushDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id, push_id=push.id))
    return push


def wait_for_undo(running: Push | None) -> None:
    """For a plan. Raises Temporary, no attempt, while a push is being undone: what is wanted meanwhile is what was."""
    if running is not None and running.undoes is not None:
        raise Temporary(
            f"Push {running.undoes} of shop {running.shop_id} is being undone; the shop is planned after that.",
            retry_after=UNDO_PATIENCE,
            counts=False,
        )


def beyond_limits(uow: UnitOfWork, shop: Shop) -> list[str]:
    """A sentence for each guard rail that the shop's present differences break, with examples; [] where all may go."""
    settings = settings_of(shop)
    cursor = uow.cursor()
    facts = {"shop": shop.id, "examples": EXAMPLES, "percent": settings.price_fall_limit_percent}
    (leaving, gone) = cursor.execute(LEAVING, facts).fetchone() or (0, [])
    fallen = cursor.execute(FALLEN, facts).fetchall()
    (live,) = (cursor.execute(LIVE, facts).fetchone() if leaving else None) or (0,)
    breach = Breach(live, leaving, fallen[0][4] if fallen else 0, gone, [row[:4] for row in fallen])
    return said(breach, settings.withdraw_limit_percent, settings.price_fall_limit_percent)


def said(breach: Breach, withdraw_percent: int, fall_percent: int) -> list[str]:
    """Pure: the sentences for each limit that is passed."""
    sentences = []
    if breach.live >= FEW and breach.leaving * 100 > withdraw_percent * breach.live:
        sentences.append(
            f"{breach.leaving} of {breach.live} live listings would go out of sale: more than {withdraw_percent} %"
            f" ({_named(breach.gone, breach.leaving)})."
        )
    if breach.falling:
        falls = [
            f"{title}: {before} → {after} {currency}" for title, before, after, currency in breach.fallen
        ]
        number = "1 price" if breach.falling == 1 else f"{breach.falling} prices"
        sentences.append(
            f"{number} would fall by more than {fall_percent} % ({_named(falls, breach.falling)})."
        )
    return sentences


def _named(examples: Sequence[str], number: int) -> str:
    more = number - len(examples)
    return "; ".join(examples) + (f"; and {more} more" if more else "")
