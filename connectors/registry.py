"""kind -> class: the one place to add a line for a new feed format, source or channel."""

from collections.abc import Callable, Iterator, Mapping
from pkgutil import resolve_name
from typing import TypeVar, cast

from connectors.banking import PayoutConnector
from connectors.base import FeedReader, FeedSource, ShopConnector
from connectors.purchasing import SupplierConnector

T = TypeVar("T")


class Lazy(Mapping[str, T]):
    """Names of classes that are imported when first asked for: a command that reads no feed need not load pandas."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def __getitem__(self, kind: str) -> T:
        return cast(T, resolve_name(self._names[kind]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


READERS: Mapping[str, type[FeedReader]] = Lazy(
    {
        "csv": "connectors.readers.csv:CsvReader",
        "json": "connectors.readers.json:JsonReader",
        "jsonl": "connectors.readers.json:JsonLinesReader",
        "xml": "connectors.readers.xml:XmlReader",
        "xlsx": "connectors.readers.sheets:SheetReader",
        "xls": "connectors.readers.sheets:SheetReader",
        "ods": "connectors.readers.sheets:SheetReader",
        "edifact": "connectors.readers.edifact:EdifactReader",
        "cif": "connectors.readers.cif:CifReader",
    }
)

SOURCES: Mapping[str, Callable[..., FeedSource]] = Lazy(
    {
        "folder": "connectors.sources.folder:DropFolder",
        "url": "connectors.sources.url:WebFile",
        "sftp": "connectors.sources.sftp:SftpFolder",
        "api": "connectors.sources.api:JsonApi",
    }
)

SHOPS: Mapping[str, Callable[..., ShopConnector]] = Lazy(
    {
        "shopify": "connectors.shops.shopify.connector:ShopifyShop",
        "woocommerce": "connectors.shops.woocommerce.connector:WooCommerceShop",
    }
)

PAYOUTS: Mapping[str, Callable[..., PayoutConnector]] = Lazy(
    {
        "sepa": "connectors.payouts.sepa:SepaBank",
    }
)

SUPPLIERS: Mapping[str, Callable[..., SupplierConnector]] = Lazy(
    {
        "portal": "connectors.suppliers.portal:PortalSupplier",
        "api": "connectors.suppliers.api:ApiSupplier",
    }
)
