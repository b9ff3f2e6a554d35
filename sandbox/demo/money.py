"""Way C of the demo: deposits come in, captured money matures, is settled, paid, once returned, and proved."""

from pathlib import Path

from sandbox.demo.cast import CASA_VERDE, SELLERS, SUPPLIERS, Seller, say
from sandbox.demo.orders import Trade
from sandbox.partners import Bank
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
        self.hub.ask("message", "wait")
        file = self.folder / f"payments-{run}.xml"
        self.hub.ask("payout", "file", run, "--out", str(file))
        self.bank.pay(file)


def agree(hub: Hub, office_url: str, office_key: str, office_ca: str) -> None:
    """Commission, shipping and bank details of each supplier; Norden has an order server of his own."""
    for supplier in SUPPLIERS:
        by_server = supplier.code == "NORDEN"
        way = (
            ["--transport", "api", "--url", office_url, "--key", office_key, "--ca-file", office_ca]
            if by_server
            else []
        )
        hub.ask(
            "supplier",
            "terms",
            supplier.code,
            "--commission",
            supplier.commission,
            "--shipping",
            supplier.shipping,
            *way,
        )
        hub.ask(
            "company", "bank", supplier.code, "--holder", supplier.name, "--iban", supplier.iban, "--town", supplier.town,
            "--country", supplier.country,
        )  # fmt: skip


def deposits_come_in(money: Money) -> None:
    """Both sellers pay in before anybody buys."""
    for seller in SELLERS:
        money.pay_in(seller, seller.deposit)
        say(f"{seller.name} transfers {seller.deposit} EUR as his deposit")
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
    money.hub.ask(
        "company", "bank", CASA_VERDE.code, "--holder", CASA_VERDE.name, "--iban", OTHER_IBAN, "--town", CASA_VERDE.town,
        "--country", CASA_VERDE.country,
    )  # fmt: skip
    money.run()
    money.bank_day()
    say(f"{CASA_VERDE.name} gives another account and is paid with the next run")
