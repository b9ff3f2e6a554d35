"""kind -> class: the one place to add a line for a new feed format, source or channel."""

from collections.abc import Callable

from connectors.base import FeedReader, FeedSource, ShopConnector
from connectors.readers.csv import CsvReader
from connectors.readers.xml import XmlReader
from connectors.shops.woocommerce.connector import WooCommerceShop
from connectors.sources.folder import DropFolder

READERS: dict[str, type[FeedReader]] = {
    "csv": CsvReader,
    "xml": XmlReader,
}

SOURCES: dict[str, Callable[..., FeedSource]] = {
    "folder": DropFolder,
}

SHOPS: dict[str, Callable[..., ShopConnector]] = {
    "woocommerce": WooCommerceShop,
}
