"""Banks: one module per format family, each keeping the Protocol PayoutConnector."""
