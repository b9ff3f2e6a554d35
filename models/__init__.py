"""The hub's tables and their small invariants. Importing any of them imports all: each knows others by name only."""

from models import (
    catalogue,
    companies,
    ledger,
    orders,
    privacy,
    purchasing,
    settlement,
    shops,
    suppliers,
    taxonomy,
    uploads,
)

__all__ = [
    "catalogue",
    "companies",
    "ledger",
    "orders",
    "privacy",
    "purchasing",
    "settlement",
    "shops",
    "suppliers",
    "taxonomy",
    "uploads",
]
