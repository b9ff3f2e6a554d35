"""Opens the connector of a stored shop for its orders."""

from typing import cast

from connectors.orders import OrderConnector
from connectors.registry import SHOPS
from core.errors import Misconfigured
from core.settings import load
from core.vault import load_vault
from models.shops import Shop


def connect(shop: Shop) -> OrderConnector:
    """The connector of the shop's channel with its opened credentials. Raises Misconfigured where they do not open."""
    settings = load()
    if shop.channel not in SHOPS:
        raise Misconfigured(
            f"Shop {shop.id} is of channel {shop.channel!r}; there are {', '.join(sorted(SHOPS))}."
        )
    credentials = load_vault(settings).open(shop.credentials)
    opened = SHOPS[shop.channel](shop.url, **credentials, private_hosts=settings.private_host_names)
    return cast(
        OrderConnector, opened
    )  # every channel's class keeps both Protocols; its contract test says so
