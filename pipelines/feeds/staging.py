"""The columns of an offer on their way from the parser through staging into the catalogue."""

COLUMNS = (
    "supplier_sku", "content_hash", "locator", "gtin", "gtin_verdict", "mpn", "brand", "title", "description",
    "category", "kind", "cost", "price", "rrp", "currency", "stock", "availability", "lead_time_days", "weight_g",
    "condition", "group_key", "group_title", "options", "attributes", "images", "details", "record_hash",
)  # fmt: skip

DETAILS = (
    "titles", "descriptions", "cost_basis", "cost_tiers", "map_price", "price_includes_tax", "tax_rate", "tax_category",
    "minimum", "step", "pack", "dimensions_mm", "origin", "hs_code", "valid_from", "valid_to", "territory",
    "source_url", "provenance",
)  # fmt: skip
"""The names inside the column `details`, for what few records have. `titles` and `descriptions`: ISO 639-1 language -> text. `cost_basis`: how many pieces `cost` was
stated for. `cost_tiers`: [[from pieces, amount as text]]. `map_price`: lowest price a seller may advertise, as text.
`minimum`, `step`, `pack`: pieces. `origin`: ISO 3166-1 alpha-2. `valid_from`, `valid_to`: ISO dates. `territory`: list of
countries. `provenance`: field -> the supplier's columns, only where it is not what the mapping says for all."""
