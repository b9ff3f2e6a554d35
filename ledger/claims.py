"""What must be true of the ledger, each as a sentence and one set-based query: the invariants of money."""

from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True, slots=True)
class Claim:
    """A query of one row (figure, expected, wrong): it holds where figure and expected are equal and `wrong` is zero.

    `wrong` counts what does not agree one by one, so that two errors cannot make up for each other. `money`: the figures
    are minor units. `at_least`: the figure may also be more than expected.
    """

    name: str
    sentence: str
    query: LiteralString
    money: bool = False
    at_least: bool = False


SIDES = """
WITH side AS (
    SELECT source_id AS account_id, -amount AS amount, source_version AS version FROM posting
    UNION ALL SELECT destination_id, amount, destination_version FROM posting
)"""

# What the components of all holds say, and what the postings of their lines say, by line and component.
COMPONENTS = """
WITH counted AS (
    SELECT line_id, part, sum(p.{column}) AS minor FROM hold_part p JOIN hold ON hold.id = hold_id GROUP BY line_id, part
), posted AS (
    SELECT (refs->>'line')::int AS line_id, part, sum(amount) AS minor
    FROM posting JOIN journal_entry e ON e.id = entry_id WHERE rule = '{rule}' GROUP BY 1, 2
)
SELECT coalesce(sum(posted.minor), 0), coalesce(sum(counted.minor), 0),
    count(*) FILTER (WHERE coalesce(posted.minor, 0) <> coalesce(counted.minor, 0))
FROM counted FULL JOIN posted USING (line_id, part)"""

CLAIMS = (
    Claim(
        "entries_move",
        "Every journal entry has postings, each within one currency.",
        """
SELECT (SELECT count(*) FROM journal_entry e WHERE NOT EXISTS (SELECT FROM posting WHERE entry_id = e.id))
    + (SELECT count(*) FROM posting p JOIN account s ON s.id = source_id JOIN account d ON d.id = destination_id
        WHERE s.currency <> d.currency), 0, 0""",
    ),
    Claim(
        "accounts_sum_to_zero",
        "All accounts of a currency sum to zero: money only moves.",
        "SELECT coalesce(sum(sums.minor), 0), 0, count(*) FILTER (WHERE minor <> 0)"
        " FROM (SELECT sum(balance) AS minor FROM account GROUP BY currency) AS sums",
        money=True,
    ),
    Claim(
        "balances_are_postings",
        "Every balance is the sum of its postings, and an account's lines are numbered without a gap.",
        SIDES
        + """
SELECT count(*) FILTER (WHERE balance = coalesce(total, 0) AND a.version = coalesce(lines, 0)
        AND a.version = coalesce(last, 0) AND coalesce(first, 1) = 1 AND coalesce(lines = numbers, true)), count(*), 0
FROM account a LEFT JOIN (
    SELECT account_id, sum(amount) AS total, count(*) AS lines, count(DISTINCT version) AS numbers,
        min(version) AS first, max(version) AS last FROM side GROUP BY account_id
) AS moved ON account_id = a.id""",
    ),
    Claim(
        "never_negative",
        "Deposits, what is held or withdrawn, and what suppliers have earned were never below zero.",
        """
SELECT (SELECT count(*) FROM account WHERE guarded AND balance < 0)
    + (SELECT count(*) FROM posting JOIN account a ON a.id = source_id WHERE guarded AND source_balance < 0), 0, 0""",
    ),
    Claim(
        "held_is_open_holds",
        "What is held of each seller is what his open holds still need.",
        """
WITH open AS (
    SELECT 'seller:' || seller_id || ':held' AS name, currency, sum(total - p.captured - p.released) AS minor
    FROM hold JOIN hold_part p ON hold_id = hold.id GROUP BY seller_id, currency
), held AS (SELECT name, currency, balance FROM account WHERE name LIKE 'seller:%:held')
SELECT coalesce(sum(balance), 0), coalesce(sum(minor), 0),
    count(*) FILTER (WHERE coalesce(balance, 0) <> coalesce(minor, 0)) FROM held FULL JOIN open USING (name, currency)""",
        money=True,
    ),
    Claim(
        "ended_holds_are_empty",
        "A hold that was captured or released whole has nothing left in it.",
        """
SELECT coalesce(sum(total - p.captured - p.released), 0), 0, count(*) FILTER (WHERE total <> p.captured + p.released)
FROM hold JOIN hold_part p ON hold_id = hold.id WHERE hold.captured + hold.released = quantity""",
        money=True,
    ),
    Claim(
        "holds_are_posted",
        "What each line's holds took from the deposit is what was posted for it, component by component.",
        COMPONENTS.format(column="total", rule="hold"),
        money=True,
    ),
    Claim(
        "captures_are_posted",
        "What was captured of each line is what was posted for it, component by component.",
        COMPONENTS.format(column="captured", rule="capture"),
        money=True,
    ),
    Claim(
        "releases_are_posted",
        "What was released of each line is what was posted for it, component by component.",
        COMPONENTS.format(column="released", rule="release"),
        money=True,
    ),
    Claim(
        "refunds_are_posted",
        "What was refunded of each line is what was posted for it, component by component.",
        COMPONENTS.format(column="refunded", rule="refund"),
        money=True,
    ),
    Claim(
        "refunds_stay_within_captures",
        "Nothing was refunded beyond its capture, and a full refund left exactly zero.",
        """
SELECT coalesce(sum(p.captured - p.refunded) FILTER (WHERE hold.refunded = hold.captured), 0), 0,
    count(*) FILTER (WHERE p.refunded > p.captured OR (hold.refunded = hold.captured AND p.refunded <> p.captured))
FROM hold JOIN hold_part p ON hold_id = hold.id""",
        money=True,
    ),
    Claim(
        "pending_is_unmatured",
        "What is pending of each supplier is what his unmatured captures say.",
        """
WITH pending AS (
    SELECT 'supplier:' || c.supplier_id || ':pending' AS name, currency, sum(pending_minor) AS minor
    FROM capture c JOIN hold ON hold.id = hold_id GROUP BY c.supplier_id, currency
), account AS (SELECT name, currency, balance FROM account WHERE name LIKE 'supplier:%:pending')
SELECT coalesce(sum(balance), 0), coalesce(sum(minor), 0),
    count(*) FILTER (WHERE coalesce(balance, 0) <> coalesce(minor, 0)) FROM account FULL JOIN pending USING (name, currency)""",
        money=True,
    ),
    Claim(
        "commission_is_of_lines",
        "The commission and the VAT on it are the sums over all lines.",
        """
WITH lines AS (
    SELECT part AS name, currency, sum(p.captured - p.refunded) AS minor FROM hold JOIN hold_part p ON hold_id = hold.id
    WHERE part IN ('commission', 'vat') GROUP BY part, currency
), account AS (SELECT name, currency, balance FROM account WHERE name IN ('commission', 'vat'))
SELECT coalesce(sum(balance), 0), coalesce(sum(minor), 0),
    count(*) FILTER (WHERE coalesce(balance, 0) <> coalesce(minor, 0)) FROM account FULL JOIN lines USING (name, currency)""",
        money=True,
    ),
    Claim(
        "suppliers_got_what_they_earned",
        "What each supplier earned is pending, available, in reserve, in payout or paid, less what he owes.",
        """
WITH earned AS (
    SELECT supplier_id, currency, sum(p.captured - p.refunded) AS minor FROM hold JOIN hold_part p ON hold_id = hold.id
    WHERE part IN ('goods', 'shipping') GROUP BY supplier_id, currency
), have AS (
    SELECT supplier_id, currency, sum(minor) AS minor FROM (
        SELECT company_id AS supplier_id, currency, balance AS minor FROM account WHERE name LIKE 'supplier:%'
        UNION ALL
        SELECT company_id, currency, amount_minor FROM payout WHERE kind = 'statement' AND state = 'paid'
    ) AS of GROUP BY supplier_id, currency
)
SELECT coalesce(sum(have.minor), 0), coalesce(sum(earned.minor), 0),
    count(*) FILTER (WHERE coalesce(have.minor, 0) <> coalesce(earned.minor, 0))
FROM have FULL JOIN earned USING (supplier_id, currency)""",
        money=True,
    ),
    Claim(
        "reversed_once",
        "No entry is reversed twice.",
        "SELECT count(*) - count(DISTINCT reverses), 0, 0 FROM journal_entry WHERE reverses IS NOT NULL",
    ),
    Claim(
        "nothing_bought_without_hold",
        "No more of a line stands in purchase orders than is covered by its holds.",
        """
SELECT 0, 0, count(*) FROM (
    SELECT line_id, sum(quantity) AS bought FROM purchase_order_line JOIN purchase_order p ON p.id = purchase_order_id
    WHERE state NOT IN ('rejected', 'cancelled') GROUP BY line_id
) AS bought LEFT JOIN (SELECT line_id, sum(quantity - released) AS covered FROM hold GROUP BY line_id) AS held USING (line_id)
WHERE bought > coalesce(covered, 0)""",
    ),
    Claim(
        "covered_is_set_aside",
        "What a line's holds cover is set aside in its supplier's stock or was shipped out of it.",
        """
SELECT 0, 0, count(*) FROM (SELECT line_id, sum(quantity - released) AS covered FROM hold GROUP BY line_id) AS held
FULL JOIN reservation r USING (line_id)
-- A reservation may stand alone for a while: there was too little deposit.
WHERE CASE WHEN covered IS NULL THEN sold <> 0 ELSE coalesce(r.quantity + r.sold, 0) <> covered END""",
    ),
    Claim(
        "client_money_is_there",
        "The bank and the payment provider hold at least what sellers and suppliers are owed, less what they owe.",
        """
SELECT coalesce(-sum(balance) FILTER (WHERE name IN ('bank', 'psp')), 0),
    coalesce(sum(balance) FILTER (WHERE company_id IS NOT NULL OR name = 'unallocated'), 0), 0 FROM account""",
        money=True,
        at_least=True,
    ),
)
