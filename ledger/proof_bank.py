"""What must be true between the ledger, statements, payouts and the bank's own word."""

from ledger.claims import Claim

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "bank_is_as_the_bank_says",
        "The bank account of the ledger is what the bank statements say came in and went out.",
        """
WITH told AS (
    SELECT currency, sum(closing_minor - opening_minor) AS minor FROM bank_statement GROUP BY currency
), account AS (SELECT currency, -balance AS minor FROM account WHERE name = 'bank')
SELECT coalesce(sum(account.minor), 0), coalesce(sum(told.minor), 0),
    count(*) FILTER (WHERE coalesce(account.minor, 0) <> coalesce(told.minor, 0)) FROM account FULL JOIN told USING (currency)""",
        money=True,
    ),
    Claim(
        "bank_lines_are_booked",
        "Every line of the bank statements is booked in the journal.",
        "SELECT count(*) FILTER (WHERE entry_id IS NULL), 0, 0 FROM bank_line",
    ),
    Claim(
        "in_payout_is_payouts",
        "What is in payout of each supplier is the sum of his payouts that the bank has not spoken of.",
        """
WITH built AS (
    SELECT 'supplier:' || company_id || ':in_payout' AS name, currency, sum(amount_minor) AS minor FROM payout
    WHERE kind = 'statement' AND state IN ('pending', 'exported') GROUP BY company_id, currency
), account AS (SELECT name, currency, balance FROM account WHERE name LIKE 'supplier:%:in_payout')
SELECT coalesce(sum(balance), 0), coalesce(sum(minor), 0),
    count(*) FILTER (WHERE coalesce(balance, 0) <> coalesce(minor, 0)) FROM account FULL JOIN built USING (name, currency)""",
        money=True,
    ),
    Claim(
        "withdrawing_is_withdrawals",
        "What each seller is withdrawing is the sum of his withdrawals that the bank has not spoken of.",
        """
WITH asked AS (
    SELECT 'seller:' || company_id || ':withdrawing' AS name, currency, sum(amount_minor) AS minor FROM payout
    WHERE kind = 'withdrawal' AND state IN ('asked', 'pending', 'exported') GROUP BY company_id, currency
), account AS (SELECT name, currency, balance FROM account WHERE name LIKE 'seller:%:withdrawing')
SELECT coalesce(sum(balance), 0), coalesce(sum(minor), 0),
    count(*) FILTER (WHERE coalesce(balance, 0) <> coalesce(minor, 0)) FROM account FULL JOIN asked USING (name, currency)""",
        money=True,
    ),
    Claim(
        "statements_add_up",
        "Each statement is its opening balance and its lines.",
        """
SELECT coalesce(sum(closing_minor), 0), coalesce(sum(opening_minor + lines), 0),
    count(*) FILTER (WHERE closing_minor <> opening_minor + lines OR total_minor <> lines)
FROM (SELECT s.*, coalesce((SELECT sum(amount_minor) FROM statement_line WHERE statement_id = s.id), 0) AS lines
    FROM statement s) AS statement""",
        money=True,
    ),
)
