"""`./run mutants [--json]`: plants money bugs in a copy of the ledger, one at a time; its tests must find every one.

Most are bugs that others have shipped. A mutant that survives is a test that is missing.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
COPIED = ("core", "ledger", "migrations", "models", "sandbox", "tests", "pyproject.toml")
TESTS = (
    "tests/unit/test_ledger_rules.py",
    "tests/integration/test_ledger_holds.py",
    "tests/integration/test_ledger_posting.py",
    "tests/integration/test_proof.py",
    "tests/integration/test_ledger_stateful.py",
)
CAUGHT = 1  # pytest: tests ran and some failed; every other number but 0 means that they did not run
SECONDS = 900


@dataclass(frozen=True)
class Mutant:
    """A bug: in `file`, `right` (found exactly once) becomes `wrong`."""

    name: str
    file: str
    right: str
    wrong: str


MUTANTS = (
    Mutant(
        "a refund leaves the supplier's earnings",
        "ledger/rules.py",
        "            given = _take(supplier, minor)\n",
        "            given = [(chart.COMMISSION, minor)]\n",
    ),
    Mutant(
        "a refund keeps the commission",
        "ledger/rules.py",
        "    for name, minor in of.parts.items():\n        if name in EARNED:",
        '    for name, minor in of.parts.items():\n        if name == "commission":\n            continue\n        if name in EARNED:',
    ),
    Mutant(
        "a refund takes what is available before what is pending",
        "ledger/rules.py",
        "        (chart.pending(supplier_id), pending),\n        (chart.available(supplier_id), available),\n",
        "        (chart.available(supplier_id), available),\n        (chart.pending(supplier_id), pending),\n",
    ),
    Mutant(
        "what a seller owes is not repaid first",
        "ledger/rules.py",
        "return [(chart.seller_receivable(seller_id), owed), (chart.deposit(seller_id), None)]",
        "return [(chart.seller_receivable(seller_id), 0), (chart.deposit(seller_id), None)]",
    ),
    Mutant(
        "each part is rounded by itself instead of cumulatively",
        "ledger/hold_rows.py",
        "            name: part(total, gone, self.quantity, captured + released)\n",
        "            name: min(part(total, taken, self.quantity, 0), total - captured - released)\n",
    ),
    Mutant(
        "a returned payout still reads as paid",
        "ledger/rules.py",
        "return [Move(chart.BANK, chart.available(supplier_id), amount)]",
        "return [Move(chart.BANK, chart.UNALLOCATED, amount)]",
    ),
    Mutant(
        "shipping is charged again with every hold of an order",
        "ledger/holds.py",
        "max(0, terms.shipping_minor - carried)",
        "terms.shipping_minor",
    ),
    Mutant(
        "the balance check ignores what is held",
        "ledger/holds.py",
        "    (there, _) = balances_of(uow, currency, chart.deposit(first.seller_id), chart.held(first.seller_id))\n",
        "    there = sum(balances_of(uow, currency, chart.deposit(first.seller_id), chart.held(first.seller_id)))\n",
    ),
    Mutant(
        "a released hold can be captured",
        "ledger/hold_rows.py",
        "return self.quantity - self.captured - self.released",
        "return self.quantity - self.captured",
    ),
    Mutant(
        "a refund is repeated on a retry",
        "ledger/holds.py",
        '    if done := _earlier(uow, key, line_id, "refund", quantity):\n        return done\n',
        '    key = f"{key}:{holds[0].refunded}"\n',
    ),
    Mutant(
        "a capture matures before it is due",
        "ledger/hold_rows.py",
        " AND matured_at IS NULL AND matures_at <= %(now)s",
        " AND matured_at IS NULL",
    ),
    Mutant(
        "a refund does not lower what is pending",
        "ledger/holds.py",
        "        hold_rows.lower_pending(uow, hold.id, from_pending)\n",
        "",
    ),
    Mutant(
        "a line is held twice",
        "ledger/hold_rows.py",
        "        if held + quantities[line_id] > ordered:",
        "        if quantities[line_id] > ordered:",
    ),
    Mutant(
        "two reversals of one entry",
        "ledger/posting.py",
        "WHERE reverses = %s AND key <> %s",
        "WHERE reverses = -%s AND key <> %s",
    ),
    Mutant(
        "a key is enough, whatever the content",
        "ledger/posting.py",
        "        elif first.content_hash != draft.content_hash:",
        "        elif not first.content_hash:",
    ),
    Mutant(
        "the refs are no part of an entry's content",
        "ledger/posting.py",
        "orjson.dumps([self.rule, moves, self.refs, self.reverses]",
        "orjson.dumps([self.rule, moves, self.reverses]",
    ),
    Mutant(
        "no floor under a guarded account",
        "ledger/posting.py",
        "        if pot.guarded and pot.balance + minor < 0:",
        "        if pot.guarded and pot.balance + minor < -1_000_000_000:",
    ),
    Mutant(
        "accounts are locked in whatever order",
        "ledger/posting.py",
        "ORDER BY id FOR NO KEY UPDATE OF account",
        "ORDER BY md5(id::text || random()::text) FOR NO KEY UPDATE OF account",
    ),
    Mutant(
        "accounts are read without a lock",
        "ledger/posting.py",
        "ORDER BY id FOR NO KEY UPDATE OF account",
        "ORDER BY id",
    ),
    Mutant(
        "the journal can be changed",
        "migrations/versions/0002_second_way.py",
        "CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON posting EXECUTE FUNCTION journal_stays();",
        "",
    ),
    Mutant(
        "an entry may be empty",
        "migrations/versions/0002_second_way.py",
        "    IF NOT EXISTS (SELECT FROM posting WHERE entry_id = NEW.id) THEN",
        "    IF false THEN",
    ),
    Mutant(
        "a posting need not go on from where its account stands",
        "migrations/versions/0002_second_way.py",
        "        OR account_balance_at(destination.id, NEW.destination_version - 1)\n"
        "            IS DISTINCT FROM NEW.destination_balance - NEW.amount\n",
        "",
    ),
    Mutant(
        "what suppliers earned is not compared with what they were paid",
        "ledger/claims.py",
        "WHERE kind = 'statement' AND state = 'paid'",
        "WHERE kind = 'statement' AND state IN ('paid', 'returned')",
    ),
)


def copy(origin: Path, folder: Path) -> None:
    """What the ledger's tests need, in a folder of its own."""
    for name in COPIED:
        source = origin / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis")
            )
        else:
            shutil.copy(source, folder / name)


def plant(mutant: Mutant, folder: Path) -> None:
    """Puts the bug into the copy. Ends the run where the place is not there exactly once: the list is out of date."""
    file = folder / mutant.file
    source = file.read_text()
    if source.count(mutant.right) != 1:
        sys.exit(
            f"entrepot: {mutant.file} has {source.count(mutant.right)} places for the mutant "
            f"{mutant.name!r}, not one; mend tests/mutants.py."
        )
    file.write_text(source.replace(mutant.right, mutant.wrong))


def caught(mutant: Mutant | None, origin: Path) -> str | None:
    """The test that finds it; None where all pass. Without a mutant: the copy as it is."""
    with tempfile.TemporaryDirectory(prefix="ep-mutant-") as name:
        folder = Path(name)
        copy(origin, folder)
        if mutant:
            plant(mutant, folder)
        ran = subprocess.run(
            [sys.executable, "-P", "-m", "pytest", "-x", "-q", "-m", "not deep", "--hypothesis-seed=1", *TESTS],
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )  # fmt: skip
        if ran.returncode == 0:
            return None
        failed = re.search(r"^FAILED \S+::(\S+)", ran.stdout, re.MULTILINE)
        if ran.returncode != CAUGHT or failed is None:
            said = (ran.stdout + ran.stderr)[-3000:]
            sys.exit(
                f"{said}\nentrepot: the tests did not run with {mutant.name if mutant else 'no mutant'}."
            )
        return failed[1]


def main(arguments: list[str]) -> int:
    """The command line; exit 1 when a mutant survives."""
    parser = argparse.ArgumentParser(prog="./run mutants", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    asked = parser.parse_args(arguments)
    survived = []
    with tempfile.TemporaryDirectory(prefix="ep-mutants-") as name, ThreadPoolExecutor(max_workers=2) as pool:
        origin = Path(name)  # so that all of them are of one moment
        copy(CHECKOUT, origin)
        if failed := caught(None, origin):
            sys.exit(f"entrepot: {failed} fails without a mutant; mend that first.")
        for mutant, by in zip(MUTANTS, pool.map(lambda each: caught(each, origin), MUTANTS), strict=True):
            print(f"{'caught  ' if by else 'SURVIVED'}  {mutant.name:<66} {by or ''}", flush=True)
            survived += [] if by else [mutant.name]
    print(f"caught {len(MUTANTS) - len(survived)} of {len(MUTANTS)}")
    if asked.json:
        print(
            json.dumps(
                {"mutants": len(MUTANTS), "caught": len(MUTANTS) - len(survived), "survived": survived}
            )
        )
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
