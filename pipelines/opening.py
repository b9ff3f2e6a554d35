"""Opens the connector of a stored shop: its credentials, the operator's exceptions, and the pace that all its callers share."""

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol, cast

from connectors.base import ShopConnector
from connectors.orders import OrderConnector
from connectors.registry import SHOPS
from core.database import Database
from core.errors import Misconfigured
from core.settings import load
from core.vault import load_vault
from models.shops import Shop
from pipelines.connecting import arguments, renewed
from pipelines.pacing import SqlPace

_RENEWING: dict[int, threading.Lock] = defaultdict(threading.Lock)
"""By shop: of several strands of a push whose token ended one renews it, and the others take it from there."""


class Channel(ShopConnector, OrderConnector, Protocol):
    """What every channel's class keeps; its contract test says so."""


def connect(
    db: Database,
    shop: Shop,
    *,
    before: Callable[[], None] | None = None,
    renew: bool = True,
    last: bool = False,
) -> Channel:
    """The connector of the shop's channel with its opened credentials. Raises Misconfigured where they do not open.

    `before` is called ahead of each call of the shop. Without `renew` a token that ends is left as it is: for those who
    only read what the shop sent. `last` as SqlPace has it.
    """
    settings = load()
    if shop.channel not in SHOPS:
        raise Misconfigured(
            f"Shop {shop.id} is of channel {shop.channel!r}; there are {', '.join(sorted(SHOPS))}."
        )
    if renew:
        shop = renewed(db, shop, settings)
    if not shop.credentials:
        raise Misconfigured(f"Shop {shop.name!r} is not connected: its key was forgotten. Connect it anew.")
    vault, of = load_vault(settings), shop

    def key() -> str:
        """A load may take longer than a token lives."""
        with _RENEWING[of.id]:
            return str(vault.open(renewed(db, of, settings).credentials)["key"])

    places = shop.facts.get("location_ids") or ()
    opened = SHOPS[shop.channel](
        shop.url,
        **arguments(settings, shop.url, vault.open(shop.credentials)),
        **({"location": places[0]} if places else {}),
        **({"renew": key} if renew and shop.renews_at is not None else {}),
        pace=SqlPace(db, shop.id, before=before, last=last),
    )
    return cast(Channel, opened)
