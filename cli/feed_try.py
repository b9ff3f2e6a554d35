"""`entrepot feed try FILE`: how the hub reads a file, record by record, without a database and without any effect."""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import yaml

from core.errors import Refused

_MONEY = ("cost", "price", "rrp")
_NESTED = {"group_key": "group"}  # our column -> its name in the answer
_ADVICE_ROWS = 8


def try_feed(
    file: Annotated[Path, typer.Argument(help="The supplier's file.", show_default=False)],
    profile: Annotated[
        str | None, typer.Option(help="Read it as this known format.", show_default=False)
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            help="A mapping (YAML or JSON): whole, or only sections to replace.", show_default=False
        ),
    ] = None,
    currency: Annotated[
        str | None, typer.Option(help="ISO 4217 code where the file names none.", show_default=False)
    ] = None,
    offers: Annotated[str, typer.Option(help="How many offers to show, or all.")] = "5",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Reads FILE and answers every record; writes nothing. Exit 2 where the file cannot be used."""
    answer = tried(file, profile=profile, mapping=mapping, currency=currency, offers=_limit(offers))
    if as_json:
        sys.stdout.write(
            orjson.dumps({name: value for name, value in answer.items() if name != "problems"}).decode()
            + "\n"
        )
    else:
        _print(file, answer)


def tried(
    file: Path,
    *,
    profile: str | None = None,
    mapping: Path | None = None,
    currency: str | None = None,
    offers: int | None = 5,
) -> dict[str, Any]:
    """The answer of `feed try` (feeds.md): facts, mapping, counts, the first `offers` offers (None: all).

    `problems` are the first sentences of refused records. Raises Refused where the file or an argument is unusable.
    """
    from pipelines.feeds.mapping.numbers import currency_of
    from pipelines.feeds.normalise import normalise

    started = time.perf_counter()
    if not file.is_file():
        raise Refused(f"There is no file {file}.", rule="no_file")
    if currency is not None:
        currency = currency_of(currency) or _unknown(currency)
    normalised = normalise(
        file, name=file.name, profile=profile, mapping=_document(mapping), currency=currency
    )
    shown: list[dict[str, Any]] = []
    problems: list[str] = []
    for batch in normalised.batches():
        wanted = len(batch.drafts) if offers is None else offers - len(shown)
        if wanted > 0:
            verdicts = batch.answers.set_index("locator")
            for offer in batch.drafts.head(wanted).to_dict("records"):
                shown.append(
                    _offer({str(n): value for n, value in offer.items()}, verdicts.loc[offer["locator"]])
                )
        if len(problems) < _ADVICE_ROWS:
            problems += batch.refused["message"].dropna().head(_ADVICE_ROWS - len(problems)).tolist()
    summary = normalised.summary()
    facts = normalised.facts
    return {
        "file": {
            "bytes": facts.bytes, "sha256": facts.sha256, "encoding": facts.encoding, "format": facts.format,
            "delimiter": facts.delimiter,
        },
        "profile": normalised.profile,
        "mapping": normalised.mapping,
        "drift": normalised.drift,
        "records": summary.records,
        "products": summary.products,
        "variants": summary.variants,
        "accepted": summary.accepted,
        "rejected": summary.rejected,
        "quarantined": summary.quarantined,
        "reasons": summary.reasons,
        "notes": summary.notes,
        "offers": shown,
        "problems": problems,
        "seconds": round(time.perf_counter() - started, 3),
        "peak_mb": round(_peak_kib() / 1024, 1),
    }  # fmt: skip


def _peak_kib() -> int:
    """The most memory this program held, in KiB. Linux counts its parent's into ru_maxrss, but not into VmHWM (proc(5))."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _offer(offer: dict[str, Any], answer: Any) -> dict[str, Any]:
    """An offer in the words of feeds.md: what is not known is null, empty collections stay."""
    told: dict[str, Any] = {}
    for name, value in offer.items():
        if name in _MONEY:
            told[name] = {"amount": value, "currency": offer["currency"]} if value is not None else None
        else:
            told[_NESTED.get(name, name)] = value
    return {**told, "verdict": answer["verdict"], "reasons": answer["reasons"], "notes": answer["notes"]}


def _limit(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdigit():
        raise Refused(f"--offers {text!r} is neither a number nor all.")
    return int(text)


def _unknown(currency: str) -> str:
    raise Refused(f"{currency!r} is no currency of ISO 4217; write it like EUR.", rule="currency_unknown")


def _document(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        text = path.read_text("utf-8")
        document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Refused(
            f"The mapping {path} cannot be read: {' '.join(str(error).split())}.", rule="mapping_invalid"
        ) from None
    if not isinstance(document, dict):
        raise Refused(f"The mapping {path} is not a document of named sections.", rule="mapping_invalid")
    return document


def _print(file: Path, answer: dict[str, Any]) -> None:
    """The same for people: facts, mapping, counts, what to mend, a few offers."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    facts = answer["file"]
    written = {"\t": "tab", None: ""}.get(facts["delimiter"], facts["delimiter"])
    console.print(
        f"[bold]{escape(file.name)}[/bold]  {facts['bytes']:,} bytes · {facts['format']} {escape(written)} · {facts['encoding']}"
        f" · read as [bold]{answer['profile']}[/bold] · {answer['seconds']} s · {answer['peak_mb']} MB"
    )
    console.print(_mapping_table(answer["mapping"]))
    console.print(
        f"{answer['records']:,} records: [green]{answer['accepted']:,} accepted[/green], "
        f"[red]{answer['rejected']:,} rejected[/red], [yellow]{answer['quarantined']:,} quarantined[/yellow]"
        f" · {answer['products']:,} products, {answer['variants']:,} variants"
    )
    console.print(_bar(answer))
    for title, counts in (("reasons", answer["reasons"]), ("notes", answer["notes"])):
        if counts:
            console.print(
                f"[dim]{title}[/dim]  " + ", ".join(f"{rule} {count:,}" for rule, count in counts.items())
            )
    for sentence in [*answer["drift"], *answer["problems"]]:
        console.print(f"  [yellow]·[/yellow] {escape(sentence)}")
    if answer["offers"]:
        console.print(_offers_table(answer["offers"]))


def _bar(answer: dict[str, Any]) -> str:
    """60 characters: green accepted, red rejected, yellow quarantined; nothing that occurs is invisible."""
    total = max(answer["records"], 1)
    parts = []
    for name, colour in (("accepted", "green"), ("rejected", "red"), ("quarantined", "yellow")):
        width = -(-answer[name] * 60 // total) if name != "accepted" else answer[name] * 60 // total
        parts.append(f"[{colour}]{'━' * width}[/{colour}]")
    return "".join(parts)


def _mapping_table(mapping: dict[str, Any]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="dim")
    table.add_column("field", no_wrap=True)
    table.add_column("from", overflow="ellipsis", no_wrap=True, max_width=55)
    table.add_column("sure", justify="right", no_wrap=True)
    for field, told in mapping.items():
        table.add_row(field.replace("_", " "), escape(told["from"]), f"{told['confidence']:.0%}")
    return table


def _offers_table(offers: list[dict[str, Any]]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    colours = {"accepted": "green", "rejected": "red", "quarantined": "yellow"}
    table = Table(box=None, header_style="dim")
    for name in ("place", "article", "title", "options"):
        table.add_column(name, overflow="fold", max_width=40)
    for name in ("cost", "price", "stock"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for offer in offers:
        money = [
            " ".join(filter(None, (offer[n]["amount"], offer[n]["currency"]))) if offer[n] else "–"
            for n in ("cost", "price")
        ]
        options = ", ".join(f"{name} {value}" for name, value in offer["options"].items())
        told = [offer["locator"], offer["supplier_sku"] or "–", offer["title"] or "–", options]
        colour = colours[offer["verdict"]]
        stock = "–" if offer["stock"] is None else str(offer["stock"])
        table.add_row(*map(escape, told), *money, stock, f"[{colour}]{offer['verdict']}[/{colour}]")
    return table
