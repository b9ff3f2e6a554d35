"""WooCommerce over its REST API v3, as measured on WooCommerce 11.0.1; docs/decisions/0050 to 0053 say why."""
