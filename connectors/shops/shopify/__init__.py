"""Shopify over its Admin GraphQL API 2026-10; docs/decisions/0055 to 0057 say why."""
