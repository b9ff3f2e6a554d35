"""Posting on real PostgreSQL: one key once, floors, reversals, no deadlock, and a database that refuses to be tampered with."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise

import psycopg
import pytest

from core.database import Database, UnitOfWork
from core.errors import Permanent, Refused
from ledger import balances, chart, deposits, rules
from ledger.posting import post, reverse
from ledger.rules import Move
from models.ledger import JournalEntry
from tests.books import NOON, Books, euros
from tests.stepping import one, rows

LEDGER = "SELECT id, balance, version FROM account ORDER BY id"


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    database = Database(database_url, (), pool_size=10)
    yield Books(database)
    database.close()


def posted(books: Books, key: str, *moves: Move, rule: str = "test") -> JournalEntry:
    with books.db.unit_of_work() as uow:
        return post(uow, key, rule, moves, NOON, {"n": 1})


def at_once(count: int, work: Callable[[int], None]) -> list[Exception]:
    """`work` in so many threads, begun together; what they raised."""
    gate, raised = threading.Barrier(count), []

    def begin(n: int) -> None:
        gate.wait()
        try:
            work(n)
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=begin, args=[n]) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_an_entry_carries_each_accounts_state_after_it(books: Books) -> None:
    seller = books.seller()
    deposit = chart.deposit(seller)
    entry = posted(
        books, "k1", Move("bank", deposit, euros(900)), Move(deposit, chart.held(seller), euros(400), "goods")
    )
    assert rows(
        books.db,
        "SELECT entry_id, place, s.name, source_version, source_balance, d.name, destination_version,"
        " destination_balance, amount, part FROM posting JOIN account s ON s.id = source_id"
        " JOIN account d ON d.id = destination_id ORDER BY place",
    ) == [
        (entry.id, 0, "bank", 1, -900, deposit, 1, 900, 900, ""),
        (entry.id, 1, deposit, 2, 500, chart.held(seller), 1, 400, 400, "goods"),
    ]
    assert rows(books.db, "SELECT name, kind, company_id, currency, guarded, balance, version FROM account ORDER BY name") == [
        ("bank", "asset", None, "EUR", False, -900, 1),
        (deposit, "liability", seller, "EUR", True, 500, 2),
        (chart.held(seller), "liability", seller, "EUR", True, 400, 1),
    ]  # fmt: skip


def test_the_same_key_and_content_is_the_first_entry_again(books: Books) -> None:
    seller = books.seller()
    move = Move("bank", chart.deposit(seller), euros(900))
    first = posted(books, "k1", move)
    before = rows(books.db, LEDGER)
    with books.db.unit_of_work() as uow:
        second = post(uow, "k1", "test", [move], NOON + timedelta(days=1), {"n": 1})
    assert (second.id, second.content_hash, second.happened_at) == (first.id, first.content_hash, NOON)
    assert rows(books.db, LEDGER) == before
    assert one(books.db, "SELECT count(*) FROM journal_entry") == 1


@pytest.mark.parametrize("other", ["amount", "part", "account", "currency", "refs", "rule", "more"])
def test_the_same_key_with_other_content_is_refused(books: Books, other: str) -> None:
    seller = books.seller()
    move = Move("bank", chart.deposit(seller), euros(900))
    posted(books, "k1", move)
    moves = {
        "amount": [Move(move.source, move.destination, euros(901))],
        "part": [Move(move.source, move.destination, euros(900), "goods")],
        "account": [Move("psp", move.destination, euros(900))],
        "currency": [Move(move.source, move.destination, rules.Money(900, "CHF"))],
        "more": [move, move],
    }.get(other, [move])
    with pytest.raises(Refused) as refused, books.db.unit_of_work() as uow:
        post(
            uow, "k1", "other" if other == "rule" else "test", moves, NOON, {"n": 2 if other == "refs" else 1}
        )
    assert refused.value.rule == "key_reused"
    assert books.balances() == {"bank": -900, chart.deposit(seller): 900}


def test_a_guarded_account_never_goes_below_zero(books: Books) -> None:
    seller = books.seller(900)
    before = books.balances()
    with pytest.raises(Refused, match=f"the deposit account of seller {seller} has 9.00 EUR") as refused:
        posted(books, "k1", Move(chart.deposit(seller), chart.held(seller), euros(901)))
    assert refused.value.rule == "too_little"
    assert books.balances() == before
    posted(books, "k1", Move(chart.deposit(seller), chart.held(seller), euros(900)))
    assert books.balances() == {"bank": -900, chart.held(seller): 900}


def test_a_repetition_counts_even_when_the_money_is_gone(books: Books) -> None:
    seller = books.seller(900)
    move = Move(chart.deposit(seller), chart.held(seller), euros(900))
    assert posted(books, "k1", move).id == posted(books, "k1", move).id


@pytest.mark.parametrize("moves", [[], [Move("bank", "psp", euros(0))], [Move("bank", "psp", euros(-5))]])
def test_nothing_to_post_is_refused(books: Books, moves: list[Move]) -> None:
    with pytest.raises(Refused) as refused:
        posted(books, "k1", *moves)
    assert refused.value.rule == "nothing"


def test_an_account_outside_the_chart_is_an_error(books: Books) -> None:
    with pytest.raises(Permanent, match="no account 'seller:1:pocket'"):
        posted(books, "k1", Move("bank", "seller:1:pocket", euros(1)))
    assert one(books.db, "SELECT count(*) FROM account") == 0


def test_one_key_for_two_entries_at_once_makes_one(books: Books) -> None:
    sellers = [books.seller() for _ in range(6)]

    def work(n: int) -> None:
        posted(books, "k1", Move("bank" if n % 2 else "psp", chart.deposit(sellers[n]), euros(100)))

    raised = at_once(6, work)
    assert [getattr(error, "rule", error) for error in raised] == ["key_reused"] * 5
    assert one(books.db, "SELECT count(*) FROM journal_entry") == 1


def test_a_reversal_mirrors_an_entry_once(books: Books) -> None:
    seller = books.seller()
    deposit, held = chart.deposit(seller), chart.held(seller)
    entry = posted(books, "k1", Move("bank", deposit, euros(900)), Move(deposit, held, euros(400)))
    for _ in range(2):
        with books.db.unit_of_work() as uow:
            mirror = reverse(uow, "r1", entry, NOON)
        assert (mirror.reverses, mirror.rule, mirror.refs) == (entry.id, "reverse", {"n": 1})
    assert books.entries()[-1] == f"reverse: {held} > {deposit} 400, {deposit} > bank 900"
    assert books.balances() == {}
    with pytest.raises(Refused) as refused, books.db.unit_of_work() as uow:
        reverse(uow, "r2", entry, NOON)
    assert refused.value.rule == "reversed"
    with pytest.raises(Refused) as refused, books.db.unit_of_work() as uow:
        reverse(uow, "r3", mirror, NOON)
    assert refused.value.rule == "not_reversible"
    assert books.balances() == {}


def test_two_reversals_at_once_make_one(books: Books) -> None:
    seller = books.seller()
    entry = posted(books, "k1", Move("bank", chart.deposit(seller), euros(900)))
    books.top_up(seller, 5_000, "other")  # so that the floor is not what stops the others

    def mirror(n: int) -> None:
        with books.db.unit_of_work() as uow:
            reverse(uow, f"r{n}", entry, NOON)

    raised = at_once(6, mirror)
    assert [getattr(error, "rule", error) for error in raised] == ["reversed"] * 5
    assert books.balances()["bank"] == -5_000


def test_what_holds_stand_on_is_not_reversed(books: Books) -> None:
    seller, supplier = books.seller(10_000), books.supplier()
    books.held(seller, supplier)
    entry = JournalEntry(id=one(books.db, "SELECT max(id) FROM journal_entry"), rule="hold", refs={})
    with pytest.raises(Refused) as refused, books.db.unit_of_work() as uow:
        reverse(uow, "r1", entry)
    assert refused.value.rule == "not_reversible"


def test_eight_connections_over_the_same_accounts_never_deadlock(books: Books) -> None:
    sellers = [books.seller(100_000) for _ in range(4)]
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = one(books.db, deadlocks)

    def work(n: int) -> None:
        for turn in range(25):
            # Every thread takes the same pots, each in an order of its own.
            circle = [chart.deposit(sellers[(n * 3 + turn + step * (1 + n % 3)) % 4]) for step in range(4)]
            moves = [Move(a, b, euros(1)) for a, b in pairwise(circle) if a != b]
            posted(books, f"{n}:{turn}", *moves)

    assert at_once(8, work) == []
    assert one(books.db, deadlocks) == before
    assert one(books.db, "SELECT count(*) FROM journal_entry") == 4 + 8 * 25
    assert one(books.db, "SELECT sum(balance) FROM account WHERE name LIKE 'seller:%%:deposit'") == 400_000
    assert one(books.db, "SELECT count(*) FROM account a WHERE version <> (SELECT count(*) FROM posting"
               " WHERE a.id IN (source_id, destination_id))") == 0  # fmt: skip


def test_one_command_from_eight_connections_is_posted_once(books: Books) -> None:
    seller = books.seller(500)

    def work(n: int) -> None:
        with books.db.unit_of_work() as uow:
            deposits.withdrawal_asked(uow, seller_id=seller, amount=euros(500), key="w1", happened_at=NOON)

    assert at_once(8, work) == []
    assert books.balances() == {"bank": -500, chart.withdrawing(seller): 500}


def test_money_that_comes_back_repays_a_debt_first_and_once(books: Books) -> None:
    seller = books.seller()
    books.owe(chart.seller_receivable(seller), 300)
    first = books.top_up(seller, 1_000, "t1")
    assert books.top_up(seller, 1_000, "t1") == first
    assert books.entries()[1:] == [
        f"top_up: bank > {chart.seller_receivable(seller)} 300, bank > {chart.deposit(seller)} 700"
    ]
    with pytest.raises(Refused) as refused:
        books.top_up(seller, 1_001, "t1")
    assert refused.value.rule == "key_reused"
    with books.db.unit_of_work() as uow:
        post(uow, "u1", "unallocated", rules.unallocated(euros(50)), NOON)
        deposits.allocate(uow, seller_id=seller, amount=euros(50), key="a1", happened_at=NOON)
        deposits.withdrawal_asked(uow, seller_id=seller, amount=euros(700), key="w1", happened_at=NOON)
        deposits.withdrawal_paid(uow, seller_id=seller, amount=euros(400), key="w2", happened_at=NOON)
        deposits.withdrawal_failed(uow, seller_id=seller, amount=euros(300), key="w3", happened_at=NOON)
        deposits.withdrawal_returned(uow, seller_id=seller, amount=euros(400), key="w4", happened_at=NOON)
    assert books.balances() == {"bank": -750, chart.deposit(seller): 750}


# --- what PostgreSQL refuses, whoever writes ----------------------------------------------------------------


def tamper(books: Books, *statements: str) -> str:
    """What PostgreSQL says to these statements in one unit of work."""
    with pytest.raises(psycopg.errors.IntegrityError) as refused, books.db.unit_of_work() as uow:
        for statement in statements:
            uow.cursor().execute(statement)
    return str(refused.value)


@pytest.mark.parametrize("table", ["journal_entry", "posting"])
@pytest.mark.parametrize("act", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_journal_stays(books: Books, table: str, act: str) -> None:
    books.seller(900)
    before = (rows(books.db, "SELECT * FROM posting"), rows(books.db, "SELECT * FROM journal_entry"))
    said = tamper(books, act.format(table))
    assert (
        said.startswith(f"{act.split(maxsplit=1)[0]} of ")
        and "is refused: what is in the journal stays." in said
    )
    assert (rows(books.db, "SELECT * FROM posting"), rows(books.db, "SELECT * FROM journal_entry")) == before


ENTRY = "INSERT INTO journal_entry (key, content_hash, rule, refs, happened_at) VALUES ('x', '', 'x', '{}', now())"
POSTING = (
    "INSERT INTO posting (entry_id, place, source_id, destination_id, amount, source_version, source_balance,"
    " destination_version, destination_balance) SELECT max(e.id), 9, s.id, d.id, 100, {}, {}, {}, {}"
    " FROM journal_entry e, account s, account d WHERE s.name = 'bank' AND d.name LIKE '%:deposit' GROUP BY s.id, d.id"
)
BOTH = "UPDATE account SET version = 2, balance = CASE name WHEN 'bank' THEN -1000 ELSE 1000 END WHERE balance <> 0"


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ([ENTRY], "has no posting"),
        ([POSTING.format(2, -1000, 2, 1000)], "does not go on from its accounts"),
        ([POSTING.format(2, -1000, 2, 1001), BOTH.replace("1000 END", "1001 END")], "does not go on"),
        ([POSTING.format(3, -1000, 3, 1000), BOTH.replace("= 2", "= 3")], "does not go on"),
        ([POSTING.format(2, -999, 2, 1000), BOTH.replace("-1000", "-999")], "does not go on"),
        ([BOTH], "is not what its postings made it"),
        (["UPDATE account SET balance = balance + 1 WHERE name = 'bank'"], "is not what its postings made it"),
        (["INSERT INTO account (name, kind, currency, guarded, balance) VALUES ('psp', 'asset', 'EUR', false, 5)"],
         "is not what its postings made it"),
    ],
)  # fmt: skip
def test_what_does_not_add_up_is_refused_at_commit(books: Books, statements: list[str], said: str) -> None:
    books.seller(900)
    before = rows(books.db, LEDGER)
    assert said in tamper(books, *statements)
    assert rows(books.db, LEDGER) == before
    assert one(books.db, "SELECT count(*) FROM posting") == 1


def test_a_posting_between_currencies_is_refused_at_commit(books: Books) -> None:
    books.seller(900)
    said = tamper(
        books,
        "INSERT INTO account (name, kind, currency, guarded) VALUES ('psp', 'asset', 'CHF', false)",
        ENTRY,
        POSTING.format(2, -1000, 1, 100).replace("LIKE '%:deposit'", "= 'psp'"),
        "UPDATE account SET version = version + 1, balance = CASE name WHEN 'bank' THEN -1000 ELSE 100 END WHERE name IN ('bank', 'psp')",
    )
    assert "moves from EUR to CHF" in said


def test_a_floor_is_the_databases_as_well(books: Books) -> None:
    books.seller(900)
    assert "ck_account_guarded" in tamper(books, "UPDATE account SET balance = -1 WHERE guarded")


def test_what_an_honest_hand_writes_is_accepted(books: Books) -> None:
    books.seller(900)
    with books.db.unit_of_work() as uow:
        for statement in (ENTRY, POSTING.format(2, -1000, 2, 1000), BOTH):
            uow.cursor().execute(statement)
    assert sorted(books.balances().values()) == [-1000, 1000]


def test_a_unit_of_work_that_fails_leaves_nothing(books: Books) -> None:
    seller = books.seller()

    def fail(uow: UnitOfWork) -> None:
        post(uow, "k1", "test", [Move("bank", chart.deposit(seller), euros(1))], NOON)
        raise RuntimeError

    with pytest.raises(RuntimeError), books.db.unit_of_work() as uow:
        fail(uow)
    assert rows(books.db, "SELECT (SELECT count(*) FROM journal_entry), (SELECT count(*) FROM account)") == [
        (0, 0)
    ]


# --- reading it back ----------------------------------------------------------------------------------------


def test_an_account_reads_like_a_bank_statement(books: Books) -> None:
    seller, supplier = books.seller(10_000), books.supplier(shipping=0)
    hold = books.held(seller, supplier)
    with books.db.unit_of_work() as uow:
        lines = balances.account_lines(uow, chart.deposit(seller), "EUR")
        (bank,) = balances.account_lines(uow, "bank", "EUR")
        pages = [
            line
            for before in (None, 4, 3, 2)
            for line in balances.account_lines(uow, chart.deposit(seller), "EUR", before=before, limit=1)
        ]
    entry = one(books.db, "SELECT max(id) FROM journal_entry")
    refs = {"line": hold.line_id, "order": hold.order_id, "hold": hold.id}
    nothing = euros(0)
    assert [
        (line.version, line.what_for, line.other, line.came_in, line.went_out, line.balance) for line in lines
    ] == [
        (4, f"Held for order line {hold.line_id}: VAT", chart.held(seller), nothing, euros(19), euros(8_881)),
        (3, f"Held for order line {hold.line_id}: commission", chart.held(seller), nothing, euros(100), euros(8_900)),
        (2, f"Held for order line {hold.line_id}: goods", chart.held(seller), nothing, euros(1_000), euros(9_000)),
        (1, "Top-up", "bank", euros(10_000), nothing, euros(10_000)),
    ]  # fmt: skip
    assert (lines[0].entry_id, lines[0].refs, lines[0].happened_at) == (entry, refs, NOON)
    assert (bank.came_in, bank.went_out, bank.balance) == (euros(10_000), nothing, euros(10_000))
    assert pages == lines


def test_balances_of_any_moment_come_from_the_postings(books: Books) -> None:
    seller = books.seller(1_000)
    between = one(books.db, "SELECT clock_timestamp()")
    supplier = books.supplier(shipping=0)
    books.held(seller, supplier, 1, "5.00")
    with books.db.unit_of_work() as uow:
        then = {each.name: each.amount.minor for each in balances.balances(uow, between)}
        before = balances.balances(uow, between - timedelta(days=1))
        now = {each.name: each.amount.minor for each in balances.balances(uow)}
        view = balances.deposit_view(uow, seller, "EUR")
        supplied = balances.supplier_view(uow, supplier, "EUR")
        nobody = balances.balance(uow, chart.deposit(999), "EUR")
    assert {name: minor for name, minor in then.items() if minor} == {
        "bank": 1_000,
        chart.deposit(seller): 1_000,
    }
    assert {each.amount.minor for each in before} == {0}
    assert {name: minor for name, minor in now.items() if minor} == {
        "bank": 1_000, chart.deposit(seller): 440, chart.held(seller): 560,
    }  # fmt: skip
    assert view == balances.DepositView(euros(440), euros(560), euros(0), euros(0))
    assert supplied == balances.SupplierView(*[euros(0)] * 5)
    assert nobody == euros(0)
