"""Opens the way to a supplier that his terms name."""

from connectors.purchasing import SupplierConnector
from connectors.registry import SUPPLIERS
from core.database import UnitOfWork
from core.errors import Misconfigured
from core.settings import load
from core.vault import load_vault
from models.purchasing import SupplierTerms


def way_to(uow: UnitOfWork, supplier_id: int) -> SupplierConnector:
    """The connector of the supplier's terms; without terms he comes to the hub by himself. Asks nobody.

    Raises Misconfigured where the transport is unknown, or its address or key cannot be used.
    """
    terms = uow.session.get(SupplierTerms, supplier_id)
    if terms is None or terms.transport == "portal":
        return SUPPLIERS["portal"]()
    if terms.transport not in SUPPLIERS:
        raise Misconfigured(
            f"Supplier {supplier_id} is reached by {terms.transport!r}; there are {', '.join(sorted(SUPPLIERS))}."
        )
    if not terms.url or terms.credentials is None:
        raise Misconfigured(f"Supplier {supplier_id} has no address or key: enter both with his terms.")
    settings = load()
    credentials = load_vault(settings).open(terms.credentials)
    return SUPPLIERS[terms.transport](terms.url, **credentials, private_hosts=settings.private_host_names)
