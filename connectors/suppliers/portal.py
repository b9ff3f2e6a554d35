"""The supplier who comes to the hub: he reads and confirms his orders in the console, by API, command line or CSV."""

from connectors.purchasing import PurchaseDraft


class PortalSupplier:
    """SupplierConnector without a call: the order waits in the hub until the supplier takes it up himself."""

    def place(self, draft: PurchaseDraft) -> None:
        """None: the number is his to enter when he confirms."""

    def find(self, reference: str) -> None:
        """None: nothing was sent, so nothing can be found."""

    def cancel(self, reference: str) -> None:
        """None: the wish stands beside the order until he answers it."""
