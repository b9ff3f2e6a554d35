"""Ways to a supplier: one module per way, each keeping the Protocol SupplierConnector."""
