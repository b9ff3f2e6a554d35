"""Opens the connector of a stored shop: its credentials, the operator's exceptions, and the pace that all its callers share."""

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
from pipelines.pacing import SqlPace


class Channel(ShopConnector, OrderConnector, Protocol):
    """What every channel's class keeps; its contract test says so."""


def connect(db: Database, shop: Shop, *, before: Callable[[], None] | None = None) -> Channel:
    """The connector of the shop's channel with its opened credentials. Raises Misconfigured where they do not open.

    `before` is called ahead of each call of the shop.
    """
    settings = load()
    if shop.channel not in SHOPS:
        raise Misconfigured(
            f"Shop {shop.id} is of channel {shop.channel!r}; there are {', '.join(sorted(SHOPS))}."
        )
    credentials = load_vault(settings).open(shop.credentials)
    opened = SHOPS[shop.channel](
        shop.url,
        **credentials,
        private_hosts=settings.private_host_names,
        pace=SqlPace(db, shop.id, before=before),
    )
    return cast(Channel, opened)
