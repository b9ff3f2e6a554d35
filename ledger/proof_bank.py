"""What must be true between the ledger, statements, payouts and the bank's own word."""

from ledger.claims import Claim

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "bank_is_as_the_bank_says",
        "The bank account of the ledger is what the last statement of each bank account closes with.",
        """
WITH told AS (
    SELECT currency, sum(closing_minor) AS minor
    FROM (SELECT DISTINCT ON (iban) * FROM bank_statement ORDER BY iban, id DESC) AS last GROUP BY currency
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
    Claim(
        "bank_lines_moved_the_bank",
        "Each line of the bank statements moved the ledger's bank account by its own amount.",
        """
WITH told AS (
    SELECT id, entry_id, CASE WHEN kind IN ('credit', 'return') THEN amount_minor ELSE -amount_minor END AS minor
    FROM bank_line WHERE entry_id IS NOT NULL
), moved AS (
    SELECT entry_id, sum(CASE WHEN s.name = 'bank' THEN amount WHEN d.name = 'bank' THEN -amount ELSE 0 END) AS minor
    FROM posting JOIN account s ON s.id = source_id JOIN account d ON d.id = destination_id
    WHERE entry_id IN (SELECT entry_id FROM told) GROUP BY entry_id
)
SELECT coalesce(sum(moved.minor), 0), coalesce(sum(told.minor), 0),
    count(*) FILTER (WHERE moved.minor IS DISTINCT FROM told.minor) FROM told LEFT JOIN moved USING (entry_id)""",
        money=True,
    ),
    Claim(
        "bank_statements_join",
        "Each bank statement begins where the one before ended, and its lines lead to its closing balance.",
        """
SELECT coalesce(sum(closing_minor), 0), coalesce(sum(opening_minor + lines), 0),
    count(*) FILTER (WHERE closing_minor <> opening_minor + lines OR opening_minor <> coalesce(before, opening_minor))
FROM (
    SELECT s.*, lag(closing_minor) OVER (PARTITION BY iban ORDER BY id) AS before,
        coalesce((SELECT sum(CASE WHEN kind IN ('credit', 'return') THEN amount_minor ELSE -amount_minor END)
            FROM bank_line WHERE bank_statement_id = s.id), 0) AS lines
    FROM bank_statement s) AS statement""",
        money=True,
    ),
    Claim(
        "unallocated_is_bank_lines",
        "What is unallocated are bank lines that wait for a person, and what an account held before its first statement.",
        """
WITH waiting AS (
    SELECT coalesce(sum(CASE WHEN kind IN ('credit', 'return') THEN amount_minor ELSE -amount_minor END), 0) AS minor
    FROM bank_line WHERE state = 'unallocated'
), before AS (
    SELECT coalesce(sum(opening_minor), 0) AS minor
    FROM (SELECT DISTINCT ON (iban) * FROM bank_statement ORDER BY iban, id) AS first
)
SELECT coalesce((SELECT sum(balance) FROM account WHERE name = 'unallocated'), 0), waiting.minor + before.minor, 0
FROM waiting, before""",
        money=True,
    ),
    Claim(
        "payouts_are_on_bank_lines",
        "Every payout that counts as paid or returned stands on a bank statement, with its id and amount.",
        """
SELECT count(*) FILTER (WHERE seen), count(*), count(*) FILTER (WHERE NOT seen)
FROM (
    SELECT EXISTS (SELECT FROM bank_line b WHERE b.end_to_end_id = p.end_to_end_id AND b.amount_minor = p.amount_minor
            AND b.state = 'matched' AND b.kind = 'debit')
        AND (p.state = 'paid' OR EXISTS (SELECT FROM bank_line b WHERE b.end_to_end_id = p.end_to_end_id
            AND b.amount_minor = p.amount_minor AND b.state = 'matched' AND b.kind = 'return')) AS seen
    FROM payout p WHERE p.state IN ('paid', 'returned')) AS ended""",
    ),
    Claim(
        "files_are_payouts",
        "Each payment file is unchanged, and its control sum is the sum of its run's payouts.",
        """
SELECT coalesce(sum(said), 0), coalesce(sum(paid), 0),
    count(*) FILTER (WHERE said IS DISTINCT FROM paid OR encode(sha256(file), 'hex') <> file_sha256)
FROM (
    SELECT file, file_sha256,
        (100 * (regexp_match(convert_from(file, 'UTF8'), 'CtrlSum>([0-9.]+)<'))[1]::numeric)::bigint AS said,
        (SELECT sum(amount_minor) FROM payout WHERE run_id = r.id)::bigint AS paid
    FROM settlement_run r WHERE file IS NOT NULL) AS run""",
        money=True,
    ),
    Claim(
        "statements_follow",
        "Each supplier's statement opens with what his last one closed with.",
        """
SELECT coalesce(sum(opening_minor), 0), coalesce(sum(before), 0), count(*) FILTER (WHERE opening_minor <> before)
FROM (
    SELECT opening_minor,
        coalesce(lag(closing_minor) OVER (PARTITION BY company_id, currency ORDER BY id), 0) AS before
    FROM statement) AS statement""",
        money=True,
    ),
    Claim(
        "statements_leave_nothing_out",
        "What each supplier has and owes is what his last statement closed with and the postings since.",
        """
WITH own AS (
    SELECT id, company_id, currency, balance FROM account WHERE name ~ '^supplier:[0-9]+:(available|receivable)$'
), has AS (SELECT company_id, currency, sum(balance) AS minor FROM own GROUP BY 1, 2
), last AS (
    SELECT DISTINCT ON (company_id, currency) company_id, currency, closing_minor FROM statement
    ORDER BY company_id, currency, id DESC
), moved AS (
    SELECT company_id, currency, p.id, amount FROM posting p JOIN own ON own.id = destination_id
    UNION ALL SELECT company_id, own.currency, p.id, -amount FROM posting p JOIN own ON own.id = source_id
), since AS (
    SELECT company_id, currency, sum(amount) AS minor FROM moved
    WHERE NOT EXISTS (SELECT FROM statement_line WHERE posting_id = moved.id) GROUP BY 1, 2
)
SELECT coalesce(sum(has.minor), 0), coalesce(sum(coalesce(closing_minor, 0) + coalesce(since.minor, 0)), 0),
    count(*) FILTER (WHERE has.minor <> coalesce(closing_minor, 0) + coalesce(since.minor, 0))
FROM has LEFT JOIN last USING (company_id, currency) LEFT JOIN since USING (company_id, currency)""",
        money=True,
    ),
)
