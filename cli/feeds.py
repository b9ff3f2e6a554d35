"""`entrepot feed`: lists, their runs, approval and reports; and `try`, which needs no database."""

import csv
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.feed_mapping import app as mapping_app
from cli.feed_runs import app as runs_app
from cli.feed_runs import run_answer
from cli.feed_sources import (
    Api,
    AskSecret,
    Auth,
    Cron,
    KeyFile,
    SecretFile,
    Sftp,
    Url,
    With,
    folder_of,
    store_source,
)
from cli.feed_sources import source as show_source
from cli.feed_sources import test as test_source
from cli.feed_try import try_feed
from cli.output import GREATEST, AsJson, hub, narrow, rows_of, show, writing
from cli.waiting import given_up_since, last_dead_letter, until
from core.errors import Refused, Temporary
from core.settings import load
from models.events import FeedDue
from models.staged import POLICY
from models.suppliers import Feed, FeedRun, Reject, find_feed
from pipelines.feeds.plan import approve
from pipelines.making import MOST, FeedChange, NewFeed, asked_for, change_feed, make_feed

app = typer.Typer(no_args_is_help=True, help="Feeds: suppliers' lists and their runs.")
app.command("try")(try_feed)
app.add_typer(mapping_app, name="mapping")
app.add_typer(runs_app)
app.command("test")(test_source)
app.command("source")(show_source)

FeedName = Annotated[str, typer.Argument(help="The feed's name or number.")]
RunNumber = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The run's number.")]
Currency = Annotated[
    str | None, typer.Option(help="The currency of its amounts, where the file names none: EUR.")
]
CostFrom = Annotated[
    str | None, typer.Option(help="Take the cost from this amount of the record: price or rrp.")
]
CostMinus = Annotated[str | None, typer.Option(help="… less so many per cent.")]
AssumedStock = Annotated[
    int | None,
    typer.Option(min=0, max=MOST, help="What may be sold where the supplier only says that he has it."),
]
Absence = Annotated[
    str | None, typer.Option(help="What an offer missing in the file means: keep, out_of_stock or withdraw.")
]
Mode = Annotated[
    str | None,
    typer.Option(help="What a file is: full, delta (only what changed), stock-only or price-only."),
]
OfFeed = Annotated[
    str | None,
    typer.Option(
        help="The supplier's feed whose offers a stock-only or price-only file speaks of; '' for its own."
    ),
]
MinOffers = Annotated[
    int | None,
    typer.Option(min=0, max=100, help="Fewer offers than this per cent of before: wait for a person."),
]
PriceChanges = Annotated[
    int | None,
    typer.Option(min=0, max=MOST, help="More changed prices than this per cent: wait for a person."),
]
ZeroStock = Annotated[
    int | None,
    typer.Option(
        min=0, max=MOST, help="More offers losing their stock than this per cent: wait for a person."
    ),
]


@app.command("add")
def add(
    supplier: Annotated[str, typer.Argument(help="The supplier's name, code or number.")],
    name: Annotated[str, typer.Argument(help="What to call this list.")],
    folder: Annotated[
        str | None, typer.Option(help="A drop folder to look into; without any source files come by upload.")
    ] = None,
    url: Url = None,
    api: Api = None,
    sftp: Sftp = None,
    auth: Auth = None,
    options: With = None,
    cron: Cron = None,
    secret_file: SecretFile = None,
    ask_secret: AskSecret = False,
    key_file: KeyFile = None,
    profile: Annotated[
        str | None, typer.Option(help="A known format, where detection should not decide.")
    ] = None,
    currency: Currency = None,
    cost_from: CostFrom = None,
    cost_minus: CostMinus = None,
    assumed_stock: AssumedStock = None,
    absence: Absence = None,
    mode: Mode = None,
    of_feed: OfFeed = None,
    as_json: AsJson = False,
) -> None:
    """Configures a feed. The same name again changes it."""
    policy = policy_of(
        cost_from,
        cost_minus,
        assumed_stock=assumed_stock,
        absence=absence,
        mode=mode,
        of_feed=of_feed or None,
    )
    wish = {"name": name, "supplier": supplier, "profile": profile, "currency": currency, "policy": policy}
    place = folder_of(folder)
    asked = asked_for(NewFeed, {**wish, "folder": str(place) if place else None})
    with hub() as db, db.unit_of_work() as uow:
        made = make_feed(uow, asked, again=True)
        uow.session.refresh(made)
        store_source(
            uow, made, folder=place, url=url, api=api, sftp=sftp, auth=auth, options=options, cron=cron,
            secret_file=secret_file, ask_secret=ask_secret, key_file=key_file,
        )  # fmt: skip
        answer = described(made)
    show(answer, as_json)


@app.command("set")
def change(
    feed: FeedName,
    folder: Annotated[str | None, typer.Option(help="A drop folder to look into.")] = None,
    url: Url = None,
    api: Api = None,
    sftp: Sftp = None,
    auth: Auth = None,
    options: With = None,
    cron: Cron = None,
    secret_file: SecretFile = None,
    ask_secret: AskSecret = False,
    key_file: KeyFile = None,
    currency: Currency = None,
    cost_from: CostFrom = None,
    cost_minus: CostMinus = None,
    assumed_stock: AssumedStock = None,
    absence: Absence = None,
    min_offers: MinOffers = None,
    price_changes: PriceChanges = None,
    zero_stock: ZeroStock = None,
    mode: Mode = None,
    of_feed: OfFeed = None,
    as_json: AsJson = False,
) -> None:
    """Changes a feed's source, credentials, schedule or policy; the next run follows them, and the same file is then read anew."""
    policy = policy_of(
        cost_from, cost_minus, assumed_stock=assumed_stock, absence=absence, min_offers_percent=min_offers,
        max_price_changes_percent=price_changes, max_zero_stock_percent=zero_stock, mode=mode,
    ) | ({} if of_feed is None else {"of_feed": of_feed or None})  # fmt: skip
    asked = asked_for(FeedChange, {"policy": policy, **({"currency": currency} if currency else {})})
    with hub() as db, db.unit_of_work() as uow:
        changed = change_feed(uow, find_feed(uow.session, feed).id, asked)
        store_source(
            uow, changed, folder=folder_of(folder), url=url, api=api, sftp=sftp, auth=auth, options=options, cron=cron,
            secret_file=secret_file, ask_secret=ask_secret, key_file=key_file,
        )  # fmt: skip
        answer = described(changed)
    show(answer, as_json)


@app.command("list")
def list_feeds(as_json: AsJson = False) -> None:
    """Every feed with its source and policy."""
    with hub() as db, db.unit_of_work() as uow:
        rows = [described(feed) for feed in uow.session.query(Feed).order_by(Feed.id)]
    if not as_json:
        rows = [
            {
                **narrow([row], "id", "name", "supplier")[0], "files": row["source"]["kind"], "looks": row["cron"],
                **narrow([row], "profile", "currency")[0], "is": row["policy"]["mode"], "absent": row["policy"]["absence"],
            }
            for row in rows
        ]  # fmt: skip
    show({"feeds": rows}, as_json)


@app.command("run")
def run_feed(
    feed: FeedName,
    file: Annotated[
        Path | None, typer.Argument(help="A file to take in; without it the feed's source is looked at.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the run is over and the catalogue shows it.")] = True,
    as_json: AsJson = False,
) -> None:
    """Takes a file in: land, read, plan, apply, match, merge. Exit 1 where the run waits for approval or was refused."""
    from connectors.sources.archive import archive
    from pipelines.feeds.land import receive

    landed = archive(file, load().archive) if file is not None else None
    with hub() as db:
        with db.unit_of_work() as uow:
            found = find_feed(uow.session, feed)
            if landed is None and found.source["kind"] == "upload":
                raise Refused(
                    f"Feed {feed!r} has no source of its own, files are sent to it: name one.", rule="usage"
                )
            feed_id, before, dead = found.id, _last_run(uow, found.id), last_dead_letter(uow)
            if landed is not None:
                run_id: int | None = receive(uow, found, landed).id
            else:
                run_id = None
                uow.emit(FeedDue(tenant=found.supplier_id, lane=found.lane, feed_id=found.id))
        if not wait:
            show({"run": run_id, "feed": feed_id}, as_json)
            return
        until(db, lambda uow: ended(uow, feed_id, run_id or before + 1), f"feed {feed_id}")
        with db.unit_of_work() as uow:
            done = uow.session.get(FeedRun, run_id or _last_run(uow, feed_id))
            given_up = given_up_since(uow, f"feed:{feed_id}", dead)
            if landed is None:
                given_up = given_up or uow.session.get_one(Feed, feed_id).source_state.get("problem")
            if done is None or (run_id is None and done.id <= before):
                state = "given_up" if given_up else "unchanged"
                show({"feed": feed_id, "run": None, "state": state}, as_json)
            else:
                show(run_answer(done), as_json)
            failed = done is not None and done.state in ("waiting", "refused")
    if given_up:
        raise Temporary(given_up)
    raise typer.Exit(1 if failed else 0)


@app.command("runs")
def list_runs(feed: FeedName, as_json: AsJson = False) -> None:
    """A feed's last 50 runs, the newest first."""
    with hub() as db, db.unit_of_work() as uow:
        runs = (
            uow.session.query(FeedRun)
            .filter_by(feed_id=find_feed(uow.session, feed).id)
            .order_by(FeedRun.id.desc())
            .limit(50)
        )
        rows = [
            {"run": run.id, "state": run.state, "file": run.file_name, **_few(run.summary), "problem": run.problem, "landed_at": run.landed_at}
            for run in runs
        ]  # fmt: skip
    shown = ("run", "state", "file", "records", "accepted", "rejected", "quarantined", "problem")
    show({"runs": rows if as_json else narrow(rows, *shown)}, as_json)


@app.command("show")
def show_run(run: RunNumber, as_json: AsJson = False) -> None:
    """One run: its file, every count, its plan and what it waits for."""
    with hub() as db, db.unit_of_work() as uow:
        show(run_answer(_run(uow, run)), as_json)


@app.command("rejects")
def list_rejects(
    run: RunNumber,
    limit: Annotated[int, typer.Option(min=0, max=GREATEST, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """The records of a run that were not accepted, with the reason and what to do."""
    with hub() as db, db.unit_of_work() as uow:
        query = uow.session.query(
            Reject.place, Reject.locator, Reject.verdict, Reject.reasons, Reject.supplier_sku, Reject.message
        )
        rows = rows_of(query.filter(Reject.run_id == _run(uow, run).id).order_by(Reject.place).limit(limit))
    show({"run": run, "rejects": rows}, as_json)


@app.command("approve")
def approve_run(run: RunNumber, as_json: AsJson = False) -> None:
    """Lets a run pass that its guard rails hold."""
    with hub() as db, db.unit_of_work() as uow:
        found = (
            uow.session.query(FeedRun).filter_by(id=_run(uow, run).id).with_for_update(key_share=True).one()
        )
        approve(uow, found, uow.session.get_one(Feed, found.feed_id))
        answer = {"run": run, "state": found.state}
    show(answer, as_json)


@app.command("report")
def report_run(
    run: RunNumber,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where to write it: a workbook where the name ends in .xlsx, else CSV; without it, CSV on standard output."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Every record of the file in the supplier's own columns, with its verdict, reason and advice."""
    from pipelines.feeds.report import open_report, report
    from pipelines.feeds.report_xlsx import write_xlsx

    with hub() as db:
        with db.unit_of_work() as uow:
            _run(uow, run)
        if out is None:
            rows = report(db, run)
            if as_json:
                show({"run": run, "columns": next(rows), "rows": list(rows)}, as_json)
            else:
                csv.writer(sys.stdout).writerows(rows)
            return
        with writing(out):
            if out.suffix.lower() == ".xlsx":
                write_xlsx(open_report(db, run), out)
            else:
                with out.open("w", newline="", encoding="utf-8-sig") as file:
                    csv.writer(file).writerows(report(db, run))
    if as_json:
        show({"run": run, "file": str(out)}, as_json)


def policy_of(cost_from: str | None, cost_minus: str | None, **settings: object) -> dict[str, object]:
    """The policy as the options gave it. Raises Refused for --cost-minus alone."""
    given = {name: value for name, value in settings.items() if value is not None}
    if cost_from is not None:
        given["cost"] = {"from": cost_from, "minus_percent": cost_minus or 0}
    elif cost_minus is not None:
        raise Refused("--cost-minus says nothing without --cost-from: less than what?", rule="usage")
    return given


def described(feed: Feed) -> dict[str, Any]:
    """A feed as an answer: the policy with what is silent filled in."""
    return {
        "id": feed.id, "name": feed.name, "supplier": feed.supplier_id, "source": feed.source, "cron": feed.cron, "profile": feed.profile,
        "currency": feed.currency, "policy": {**POLICY, **feed.policy},
    }  # fmt: skip


def ended(uow: Any, feed_id: int, run_id: int) -> tuple[bool, str]:
    """Whether no step of the feed is left to do, be the run over or given up, and a word on how far it is."""
    run = uow.session.get(FeedRun, run_id)
    (open_messages,) = (
        uow.cursor().execute("SELECT count(*) FROM message WHERE lane = %s", [f"feed:{feed_id}"]).fetchone()
    )
    word = f"{run.state}, {run.records_done:,} records" if run else "looking at the source"
    return open_messages == 0, f"{word}, {open_messages} steps to go"


def _last_run(uow: Any, feed_id: int) -> int:
    found = uow.session.query(FeedRun.id).filter_by(feed_id=feed_id).order_by(FeedRun.id.desc()).first()
    return int(found[0]) if found else 0


def _run(uow: Any, run_id: int) -> FeedRun:
    found: FeedRun | None = uow.session.get(FeedRun, run_id)
    if found is None:
        raise Refused(
            f"There is no run {run_id}. `entrepot feed runs FEED` shows those there are.", rule="not_found"
        )
    return found


def _few(summary: dict[str, Any] | None) -> dict[str, Any]:
    names = ("records", "products", "variants", "accepted", "rejected", "quarantined")
    return {name: (summary or {}).get(name) for name in names}
