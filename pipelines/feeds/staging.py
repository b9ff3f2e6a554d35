"""The columns of an offer on their way from the parser through staging into the catalogue."""

COLUMNS = (
    "supplier_sku", "content_hash", "locator", "gtin", "gtin_verdict", "mpn", "brand", "title", "description",
    "category", "kind", "cost", "price", "rrp", "currency", "stock", "availability", "lead_time_days", "weight_g",
    "condition", "group_key", "group_title", "options", "attributes", "images",
)  # fmt: skip
