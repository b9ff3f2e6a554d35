"""Way C of the demo: deposits come in, captured money matures, is settled, paid, once returned, and proved."""

from functools import partial
from pathlib import Path

from sandbox.demo.cast import CASA_VERDE, NORDEN, SELLERS, SUPPLIERS, Seller, Supplier, say, together
from sandbox.demo.orders import Trade
from sandbox.partners import Bank, SupplierOffice
from sandbox.people import Hub

OTHER_IBAN = "ES7921000813610123456789"
"""Casa Verde's new account; the old one is closed."""


class Money:
    """The hub's books and the bank's counter."""

    def __init__(self, hub: Hub, bank: Bank, folder: Path) -> None:
        self.hub, self.bank, self.folder = hub, bank, folder
        self.statements = 0

    def pay_in(self, seller: Seller, amount: str) -> None:
        """A seller transfers money with the reference the hub told him; the bank's statement brings it in."""
        reference = self.hub.ask("deposit", "show", seller.code)["reference"]
        self.bank.topup(amount, reference, seller.name)

    def bank_day(self) -> None:
        """The bank closes its day; the hub reads the statement and matches every line."""
        self.statements += 1
        file = self.folder / f"statement-{self.statements:03}.xml"
        self.bank.statement(file)
        self.hub.ask("bank", "import", str(file))
        self.hub.ask("message", "wait")

    def run(self) -> None:
        """A settlement run from its draft to the bank's counter."""
        self.hub.ask("settle", "mature")
        run = str(self.hub.ask("settle", "draft")["id"])
        self.hub.ask("settle", "lock", run)
        self.hub.ask("settle", "approve", run)
        file = self.folder / f"payments-{run}.xml"
        self.hub.ask("payout", "file", run, "--out", str(file))
        self.bank.pay(file)


def agree(hub: Hub, office: SupplierOffice) -> None:
    """Commission, shipping and bank details of each supplier; Norden has an order server of his own."""
    together(*(partial(terms, hub, supplier, office) for supplier in SUPPLIERS))


def terms(hub: Hub, supplier: Supplier, office: SupplierOffice) -> None:
    """What is agreed with one supplier."""
    agreed = ["--commission", supplier.commission, "--shipping", supplier.shipping]
    if supplier is NORDEN:
        agreed += [
            "--transport",
            "api",
            "--url",
            office.url,
            "--key",
            office.key,
            "--ca-file",
            office.ca_file,
        ]
    hub.ask("supplier", "terms", supplier.code, *agreed)
    account(hub, supplier, supplier.iban)


def account(hub: Hub, supplier: Supplier, iban: str) -> None:
    """Where a supplier wants his money."""
    holder = ["--holder", supplier.name, "--town", supplier.town, "--country", supplier.country]
    hub.ask("company", "bank", supplier.code, "--iban", iban, *holder)


def deposits_come_in(money: Money) -> None:
    """Both sellers pay in before anybody buys."""
    for seller in SELLERS:
        say(f"{seller.name} transfers {seller.deposit} EUR as his deposit")
    together(*(partial(money.pay_in, seller, seller.deposit) for seller in SELLERS))
    money.bank_day()


def deposit_is_topped_up(money: Money, trade: Trade) -> None:
    """The order over the deposit goes on by itself."""
    money.pay_in(SELLERS[1], "500.00")
    money.bank_day()
    say(f"{SELLERS[1].name} tops up 500.00 EUR: the three jackets are now {trade.states('three jackets')[0]}")


def settle_everything(money: Money, trade: Trade) -> None:
    """A refund before the payout, a run with one payout that comes back, a refund after it, and a second run."""
    shop, external = trade.placed["two jackets"]
    shop.refund(external, [("TRAILHEAD-TH-RIDGELINE-SH-MOSS-S", 1)])
    trade.settle()
    say("one of two jackets is refunded before the payout")
    money.bank.close(CASA_VERDE.iban)
    money.run()
    money.bank_day()
    money.bank_day()  # what cannot be paid comes back on the bank's next day
    say(f"three suppliers are paid; {CASA_VERDE.name}'s account is closed: his payout comes back")
    shop, external = trade.placed["two lamps"]
    shop.refund(external, [("NORDEN-NL-1001", 1)])
    trade.settle()
    say("one of two lamps is refunded after the payout: Norden owes it")
    account(money.hub, CASA_VERDE, OTHER_IBAN)
    money.run()
    money.bank_day()
    say(f"{CASA_VERDE.name} gives another account and is paid with the next run")
