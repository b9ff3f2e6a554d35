"""What tests of the ledger stand on: sellers, suppliers and orders as plain rows, and the ledger read back as text."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.database import Database, UnitOfWork
from core.money import Money
from ledger import deposits, holds
from models.ledger import Hold
from tests.stepping import rows

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
VAT = Decimal(19)


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


@dataclass
class Books:
    """A database with as many sellers, suppliers and orders as a test wants. Amounts are euro cents."""

    db: Database

    def seller(self, deposit: int = 0) -> int:
        (seller_id,) = self._new(
            "INSERT INTO company (kind, code, name) SELECT 'seller', 'SE' || count(*), 'Seller' FROM company RETURNING id"
        )
        if deposit:
            self.top_up(seller_id, deposit, f"top:{seller_id}")
        return seller_id

    def supplier(self, commission: str = "10", shipping: int = 490) -> int:
        (supplier_id,) = self._new(
            "INSERT INTO company (kind, code, name) SELECT 'supplier', 'SU' || count(*), 'Supplier' FROM company RETURNING id"
        )
        self._run(
            "INSERT INTO supplier_terms (supplier_id, commission_percent, shipping_minor) VALUES (%s, %s, %s)",
            supplier_id, Decimal(commission), shipping,
        )  # fmt: skip
        return supplier_id

    def order(self, seller_id: int, *quantities: int) -> tuple[int, list[int]]:
        """An order of lines with these quantities: its id and theirs."""
        (shop_id,) = self._new(
            "INSERT INTO shop (seller_id, name, channel, url, credentials, currency, facts)"
            " SELECT %s, 'shop ' || count(*), 'woocommerce', 'https://shop.example', '', 'EUR', '{}' FROM shop RETURNING id",
            seller_id,
        )
        (order_id,) = self._new(
            "INSERT INTO shop_order (shop_id, seller_id, external_id, number, currency, standing, total_minor, placed_at,"
            " external_updated_at) VALUES (%s, %s, '1', '1', 'EUR', 'open', 0, now(), now()) RETURNING id",
            shop_id, seller_id,
        )  # fmt: skip
        (variant_id,) = self._new(
            "WITH p AS (INSERT INTO product (key, title, kind, images) SELECT 'p' || count(*), 'Lamp', 'goods', '[]' FROM product"
            " RETURNING id, key) INSERT INTO variant (product_id, key, sku, title, options, images)"
            " SELECT id, key, key, 'Lamp', '{}', '[]' FROM p RETURNING id"
        )
        lines = [
            self._new(
                "INSERT INTO order_line (order_id, external_id, variant_id, sku, title, kind, ordered, wanted, state)"
                " VALUES (%s, %s, %s, 'L', 'Lamp', 'goods', %s, %s, 'received') RETURNING id",
                order_id, str(n), variant_id, quantity, quantity,
            )[0]
            for n, quantity in enumerate(quantities)
        ]  # fmt: skip
        return order_id, lines

    def shipment(self, order_id: int, supplier_id: int) -> int:
        """A shipment of a purchase order of its own."""
        (shipment_id,) = self._new(
            "WITH p AS (INSERT INTO purchase_order (order_id, supplier_id, reference, state, shipping_minor, currency)"
            " SELECT %s, %s, 'EP-' || count(*), 'accepted', 0, 'EUR' FROM purchase_order RETURNING id)"
            " INSERT INTO shipment (purchase_order_id, key, content_hash) SELECT id, '1', '' FROM p RETURNING id",
            order_id, supplier_id,
        )  # fmt: skip
        return int(shipment_id)

    def top_up(self, seller_id: int, minor: int, key: str) -> int:
        with self.db.unit_of_work() as uow:
            return deposits.top_up(
                uow, seller_id=seller_id, amount=euros(minor), key=key, happened_at=NOON
            ).id

    def owe(self, name: str, minor: int) -> None:
        """The company owes the hub `minor`: its receivable account is debited, as after a charge-back."""
        from ledger.posting import post
        from ledger.rules import Move

        with self.db.unit_of_work() as uow:
            post(uow, f"owe:{name}:{minor}", "owe", [Move(name, "bank", euros(minor))], NOON)

    def held(
        self,
        seller_id: int,
        supplier_id: int,
        quantity: int = 1,
        cost: str = "10.00",
        line: tuple[int, int] | None = None,
    ) -> Hold:
        """A line of its own, covered."""
        if line is None:
            order_id, (line_id,) = self.order(seller_id, quantity)
        else:
            order_id, line_id = line
        with self.db.unit_of_work() as uow:
            hold = self.open(uow, order_id, line_id, seller_id, supplier_id, quantity, cost)
        assert isinstance(hold, Hold)
        return hold

    def open(
        self,
        uow: UnitOfWork,
        order_id: int,
        line_id: int,
        seller_id: int,
        supplier_id: int,
        quantity: int,
        cost: str,
    ) -> Hold | holds.Short:
        return holds.open_hold(
            uow, line_id=line_id, order_id=order_id, seller_id=seller_id, supplier_id=supplier_id, quantity=quantity,
            unit_cost=Decimal(cost), currency="EUR", happened_at=NOON, vat_percent=VAT,
        )  # fmt: skip

    def balances(self) -> dict[str, int]:
        """Every account that is not at zero."""
        return dict(rows(self.db, "SELECT name, balance FROM account WHERE balance <> 0 ORDER BY name"))

    def entries(self) -> list[str]:
        """ "rule: source > destination amount part, …" of each entry, the oldest first."""
        found = rows(
            self.db,
            "SELECT e.rule, string_agg(s.name || ' > ' || d.name || ' ' || amount || rtrim(' ' || part), ', ' ORDER BY place)"
            " FROM journal_entry e JOIN posting p ON p.entry_id = e.id JOIN account s ON s.id = source_id"
            " JOIN account d ON d.id = destination_id GROUP BY e.id ORDER BY e.id",
        )
        return [f"{rule}: {moves}" for rule, moves in found]

    def parts(self, hold_id: int) -> dict[str, tuple[int, int, int, int]]:
        """(total, captured, released, refunded) of each component."""
        return {
            name: tuple(minors)
            for name, *minors in rows(
                self.db,
                "SELECT part, total, captured, released, refunded FROM hold_part WHERE hold_id = %s",
                hold_id,
            )
        }

    def _new(self, statement: str, *values: Any) -> tuple[Any, ...]:
        return rows(self.db, statement, *values)[0]

    def _run(self, statement: str, *values: Any) -> None:
        with self.db.unit_of_work() as uow:
            uow.cursor().execute(statement, values)
