"""What is agreed with a supplier and where a company is paid: what is stored, what is sealed, what is refused."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.suppliers.api import ApiSupplier
from connectors.suppliers.portal import PortalSupplier
from core.database import Database
from core.errors import Misconfigured, Refused
from core.money import Money
from core.settings import load
from core.vault import load_vault
from models.companies import HUB
from pipelines.orders.terms import set_bank_details, set_terms
from pipelines.orders.transport import way_to
from pipelines.routes import ROUTES
from tests import builders
from tests.stepping import one, rows

IBAN = "DE89370400440532013000"


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def company(db: Database, kind: str = "supplier") -> int:
    with db.unit_of_work() as uow:
        return builders.company(uow.session, kind).id


def agree(db: Database, supplier_id: int, **terms: Any) -> int:
    """The version of the terms after the change."""
    with db.unit_of_work() as uow:
        return set_terms(uow, load(), supplier_id, **terms).version


def test_the_version_counts_changes_of_money_only(db: Database) -> None:
    supplier = company(db)
    assert agree(db, supplier, commission_percent=Decimal("12.5")) == 1
    assert agree(db, supplier, commission_percent=Decimal("12.50")) == 1
    assert agree(db, supplier, shipping=Money(490, "EUR")) == 2
    assert agree(db, supplier, transport="portal") == 2
    assert rows(db, "SELECT commission_percent, shipping_minor, transport, version FROM supplier_terms") == [
        (Decimal("12.50"), 490, "portal", 2)
    ]


def test_a_key_is_sealed_and_opens_the_way(db: Database) -> None:
    supplier = company(db)
    agree(
        db,
        supplier,
        transport="api",
        url=" https://orders.norden.example ",
        credentials={"key": "top secret"},
    )
    sealed = one(db, "SELECT credentials FROM supplier_terms")
    assert b"top secret" not in bytes(sealed)
    assert load_vault(load()).open(sealed) == {"key": "top secret"}
    with db.unit_of_work() as uow:
        assert isinstance(way_to(uow, supplier), ApiSupplier)
        assert isinstance(way_to(uow, company(db)), PortalSupplier)


@pytest.mark.parametrize(
    ("terms", "rule"),
    [
        ({"commission_percent": Decimal("100.01")}, "percent"),
        ({"commission_percent": Decimal("-1")}, "percent"),
        ({"commission_percent": Decimal("1.005")}, "percent"),
        ({"commission_percent": Decimal("NaN")}, "percent"),
        ({"shipping": Money(-1, "EUR")}, "amount"),
        ({"shipping": Money(490, "USD")}, "currency"),
        ({"transport": "pigeon"}, "transport"),
        ({"transport": "api"}, "url"),
        ({"transport": "api", "url": "https://a.example"}, "url"),
        ({"transport": "api", "url": "http://a.example", "credentials": {"key": "k"}}, "url"),
        ({"transport": "api", "url": "https://a.example", "credentials": {"password": "k"}}, "url"),
    ],
)
def test_terms_that_cannot_be_are_refused(db: Database, terms: dict[str, Any], rule: str) -> None:
    supplier = company(db)
    with pytest.raises(Refused) as error:
        agree(db, supplier, **terms)
    assert error.value.rule == rule
    assert one(db, "SELECT count(*) FROM supplier_terms") == 0


def test_only_suppliers_have_terms(db: Database) -> None:
    for other in (HUB, company(db, "seller"), 999):
        with pytest.raises(Refused) as error:
            agree(db, other, commission_percent=Decimal(1))
        assert error.value.rule == "not_found"


def test_a_way_without_its_address_says_what_to_enter(db: Database) -> None:
    supplier = company(db)
    with db.unit_of_work() as uow:
        uow.cursor().execute(
            "INSERT INTO supplier_terms (supplier_id, transport) VALUES (%s, 'api')", [supplier]
        )
    with db.unit_of_work() as uow, pytest.raises(Misconfigured, match="no address or key"):
        way_to(uow, supplier)


def account(**values: str) -> dict[str, str]:
    return {"holder": "Norden GmbH", "iban": IBAN, "town": "Berlin", "country": "DE", **values}


def test_an_account_is_stored_plainly_and_keeps_its_date_until_it_changes(db: Database) -> None:
    seller = company(db, "seller")
    written = account(iban="de89 3704 0044 0532 0130 00", country="de", bic="cobadeffxxx")
    with db.unit_of_work() as uow:
        first = set_bank_details(uow, seller, **written).changed_at
    with db.unit_of_work() as uow:
        assert set_bank_details(uow, seller, **account(bic="COBADEFFXXX")).changed_at == first
    assert rows(db, "SELECT holder, iban, bic, town, country FROM bank_details") == [
        ("Norden GmbH", IBAN, "COBADEFFXXX", "Berlin", "DE")
    ]
    with db.unit_of_work() as uow:
        assert set_bank_details(uow, seller, **account(iban="FR7630006000011234567890189")).changed_at > first


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"iban": "DE89370400440532013001"}, "iban"),
        ({"iban": ""}, "iban"),
        ({"bic": "XX"}, "bic"),
        ({"holder": " "}, "holder"),
        ({"holder": "x" * 71}, "holder"),
        ({"town": "x" * 36}, "town"),
        ({"country": "Germany"}, "country"),
    ],
)
def test_an_account_that_cannot_be_is_refused(db: Database, values: dict[str, str], rule: str) -> None:
    seller = company(db, "seller")
    with pytest.raises(Refused) as error, db.unit_of_work() as uow:
        set_bank_details(uow, seller, **account(**values))
    assert error.value.rule == rule
    with pytest.raises(Refused) as error, db.unit_of_work() as uow:
        set_bank_details(uow, HUB, **account())
    assert error.value.rule == "not_found"
    assert one(db, "SELECT count(*) FROM bank_details") == 0
