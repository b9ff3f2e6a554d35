"""Who plays in the demo: three suppliers, two sellers with a shop each, and what a word of progress looks like."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass


@dataclass(frozen=True)
class Seller:
    """Who sells, in which shop of which channel, with which margin in per cent on each supplier's cost."""

    name: str
    code: str
    channel: str
    shop: str
    margins: dict[str, str]
    deposit: str
    """What he pays in at first, in euros."""
    weight: str = "1"
    """His shop's part where scarce stock is split between shops."""


@dataclass(frozen=True)
class Supplier:
    """Who supplies, by which sample file, what the hub must be told about it, and where his money goes."""

    name: str
    code: str
    feed: str
    file: str
    iban: str
    town: str
    country: str
    commission: str
    shipping: str
    settings: tuple[str, ...] = ()


# The IBANs are examples that banks print themselves; their check digits hold.
NORDEN = Supplier(
    "Norden Lampen GmbH",
    "NORDEN",
    "Preisliste",
    "norden-lampen.csv",
    "DE89370400440532013000",
    "Kiel",
    "DE",
    "8",
    "6.90",
)
CASA_VERDE = Supplier(
    "Casa Verde", "CASAVERDE", "Shopping feed", "casa-verde.xml", "ES9121000418450200051332", "Valencia", "ES", "12.5", "4.50",
    ("--assumed-stock", "5"),
)  # fmt: skip
TRAILHEAD = Supplier(
    "Trailhead Apparel", "TRAILHEAD", "Product export", "trailhead-apparel.csv", "NL91ABNA0417164300", "Utrecht", "NL", "10", "0.00",
    ("--currency", "EUR", "--cost-from", "price", "--cost-minus", "40"),
)  # fmt: skip
SUPPLIERS = (NORDEN, CASA_VERDE, TRAILHEAD)

WOHNLICHT = Seller(
    "Wohnlicht Online",
    "WOHNLICHT",
    "woocommerce",
    "Wohnlicht",
    {"NORDEN": "60", "CASAVERDE": "45"},
    "600.00",
    "4",
)
BERGZEIT = Seller(
    "Bergzeit Kaufhaus",
    "BERGZEIT",
    "shopify",
    "Bergkaufhaus",
    {"TRAILHEAD": "80", "CASAVERDE": "50"},
    "300.00",
)
SELLERS = (WOHNLICHT, BERGZEIT)


def together(*acts: Callable[[], object]) -> None:
    """Several people act at the same moment; what one of them raises is raised when all are done."""
    with ThreadPoolExecutor(len(acts)) as hands:
        done = [hands.submit(act) for act in acts]
    for each in done:
        each.result()


def say(line: str) -> None:
    """A line of progress, for a person."""
    sys.stderr.write(f"demo  {line}\n")
    sys.stderr.flush()
