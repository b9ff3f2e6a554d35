"""Keeps what is agreed with a supplier, and the account a company is paid to."""

import re
from collections.abc import Mapping
from decimal import Decimal

from stdnum import bic as bic_numbers
from stdnum import iban as iban_numbers
from stdnum.exceptions import ValidationError

from connectors.registry import SUPPLIERS
from core.clock import now
from core.database import UnitOfWork
from core.errors import Misconfigured, Refused, there_is
from core.money import Money
from core.settings import Settings
from core.vault import load_vault
from models.companies import Company
from models.purchasing import BankDetails, SupplierTerms


def set_terms(
    uow: UnitOfWork,
    settings: Settings,
    supplier_id: int,
    *,
    commission_percent: Decimal | None = None,
    shipping: Money | None = None,
    transport: str | None = None,
    url: str | None = None,
    credentials: Mapping[str, str] | None = None,
) -> SupplierTerms:
    """Changes what is given and leaves the rest; a change of money counts the version up, for the holds made by it.

    `credentials` are what the transport's connector takes beside its address ({"key", "ca_file"}); they are sealed.
    Raises Refused: "not_found", "percent", "currency", "amount", "transport"; "url" where the way needs an address and a key.
    """
    company = uow.session.get(Company, supplier_id, with_for_update={"key_share": True})
    there_is(company if company and company.kind == "supplier" else None, f"Supplier {supplier_id}")
    terms = uow.session.get(SupplierTerms, supplier_id)
    if terms is None:
        terms = SupplierTerms(
            supplier_id=supplier_id,
            commission_percent=Decimal(0),
            shipping_minor=0,
            transport="portal",
            version=0,
        )
        uow.session.add(terms)
    before = (terms.commission_percent, terms.shipping_minor)
    if commission_percent is not None:
        terms.commission_percent = _percent(commission_percent)
    if shipping is not None:
        terms.shipping_minor = _flat(shipping, settings.currency)
    if transport is not None:
        if transport not in SUPPLIERS:
            raise Refused(
                f"There is no way {transport!r}; there are {', '.join(sorted(SUPPLIERS))}.", rule="transport"
            )
        terms.transport = transport
    if url is not None:
        terms.url = url.strip() or None
    if credentials is not None:
        terms.credentials = load_vault(settings).seal(dict(credentials))
    if terms.transport != "portal":
        _refuse_unusable(settings, terms)
    if terms.version == 0 or before != (terms.commission_percent, terms.shipping_minor):
        terms.version += 1
    uow.session.flush()
    return terms


def set_bank_details(
    uow: UnitOfWork, company_id: int, *, holder: str, iban: str, town: str, country: str, bic: str = ""
) -> BankDetails:
    """The account a supplier or seller is paid to. The same again leaves its date as it is.

    Raises Refused: "not_found", "iban", "bic", "holder", "town", "country".
    """
    company = uow.session.get(Company, company_id, with_for_update={"key_share": True})
    there_is(company if company and company.kind != "hub" else None, f"Company {company_id}")
    values = {
        "holder": _text("holder", holder, 70),
        "iban": _iban(iban),
        "bic": _bic(bic),
        "town": _text("town", town, 35),
        "country": _country(country),
    }
    details = uow.session.get(BankDetails, company_id)
    if details is None:
        details = BankDetails(company_id=company_id, **values, changed_at=now())
        uow.session.add(details)
    elif values != {name: getattr(details, name) for name in values}:
        for name, value in values.items():
            setattr(details, name, value)
        details.changed_at = now()
    uow.session.flush()
    return details


def _percent(percent: Decimal) -> Decimal:
    if not percent.is_finite() or not 0 <= percent <= 100 or percent != round(percent, 2):
        raise Refused("A commission is 0 to 100 per cent, with two places at most.", rule="percent")
    return percent


def _flat(shipping: Money, currency: str) -> int:
    if shipping.currency != currency:
        raise Refused(f"Shipping is agreed in {currency}, not in {shipping.currency}.", rule="currency")
    if shipping.minor < 0:
        raise Refused("Shipping cannot be less than nothing.", rule="amount")
    return shipping.minor


def _refuse_unusable(settings: Settings, terms: SupplierTerms) -> None:
    """Opens the connector once, which asks nobody: a wrong address is found now and not with the first order."""
    if not terms.url or terms.credentials is None:
        raise Refused(f"The way {terms.transport!r} needs an address and a key.", rule="url")
    try:
        opened = load_vault(settings).open(terms.credentials)
        SUPPLIERS[terms.transport](terms.url, **opened, private_hosts=settings.private_host_names)
    except Misconfigured as error:
        raise Refused(str(error), rule="url") from None
    except TypeError:
        raise Refused(f"The way {terms.transport!r} does not take these credentials.", rule="url") from None


def _iban(text: str) -> str:
    try:
        return str(iban_numbers.validate(text))
    except ValidationError:
        raise Refused(
            "This is no IBAN: its check digits do not fit. Copy it from the account holder.", rule="iban"
        ) from None


def _bic(text: str) -> str:
    try:
        return str(bic_numbers.validate(text)) if text.strip() else ""
    except ValidationError:
        raise Refused(f"{text!r} is no BIC: it has 8 or 11 characters.", rule="bic") from None


def _country(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", text.strip()):
        raise Refused("Give the country by two letters, like DE.", rule="country")
    return text.strip().upper()


def _text(name: str, text: str, longest: int) -> str:
    plain = " ".join(text.split())
    if not plain or len(plain) > longest:
        raise Refused(f"The {name} of the account has 1 to {longest} characters.", rule=name)
    return plain
