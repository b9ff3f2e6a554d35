"""A supplier's order server, written from docs/suppliers.md alone, that can lose answers and count how often it was asked."""

from sandbox.supplier.server import SupplierServer

__all__ = ["SupplierServer"]
