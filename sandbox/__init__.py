"""Shops, suppliers and the demo as real servers and files; it imports nothing of the hub and can prove it wrong."""
