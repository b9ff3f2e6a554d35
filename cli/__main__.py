"""`entrepot …`: mounts one file per noun, and turns every error into one clear line and an exit code."""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cli import (
    companies,
    feeds,
    listings,
    money,
    orders,
    purchasing,
    queues,
    selections,
    service,
    settlement,
    shops,
)  # fmt: skip
from core.clock import now
from core.errors import EntrepotError
from core.settings import load

app = typer.Typer(
    name="entrepot", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="A hub between many suppliers and many sellers' web shops.",
)  # fmt: skip
app.add_typer(companies.company, name="company")
app.add_typer(companies.supplier, name="supplier")
app.add_typer(companies.seller, name="seller")
app.add_typer(feeds.app, name="feed")
app.add_typer(shops.app, name="shop")
app.add_typer(selections.app, name="select")
app.add_typer(listings.app, name="listing")
app.command("push")(listings.push)
app.add_typer(orders.app, name="order")
app.add_typer(purchasing.app, name="po")
app.add_typer(orders.shipping, name="ship")
app.add_typer(orders.refunds, name="refund")
app.add_typer(money.deposit, name="deposit")
app.add_typer(settlement.settle, name="settle")
app.add_typer(settlement.payout, name="payout")
app.add_typer(settlement.bank, name="bank")
app.add_typer(money.account, name="account")
app.command("proof")(money.proof)
app.add_typer(money.why, name="why")
companies.supplier.command("terms")(purchasing.terms)
companies.company.command("bank")(purchasing.bank)
app.add_typer(queues.message, name="message")
app.add_typer(queues.dead_letter, name="dead-letter")
app.add_typer(service.operator, name="operator")
app.command("status")(queues.status)
for command in (service.up, service.serve, service.worker, service.relay, service.schedule, service.migrate):
    app.command(command.__name__)(command)


@app.callback()
def options(
    data: Annotated[
        Path | None, typer.Option(help="The data folder, instead of ENTREPOT_DATA.", show_default=False)
    ] = None,
) -> None:
    """Settings for every command."""
    if data is not None:
        os.environ["ENTREPOT_DATA"] = str(data)


def main() -> None:
    """Runs one command. Exit 0: fine; 1: something is wrong with the work; 2: wrong usage or unusable input."""
    try:
        sys.exit(app(standalone_mode=False, prog_name="entrepot") or 0)
    except EntrepotError as error:
        end(str(error), error.exit_code)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        sentence = error.format_message() if hasattr(error, "format_message") else str(error)
        if context and not sentence:  # nothing but the noun: its help is the answer
            sys.stderr.write(context.get_help() + "\n")
            sys.exit(2)
        end(f"{sentence} (`{context.command_path} --help` shows the way)" if context else sentence, 2)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # or the interpreter complains once more
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - a bug of ours: the user gets a sentence, the traceback goes into a file
        kept = load().data / "errors" / f"{now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text("".join(traceback.format_exception(error)))
        end(
            f"This is a fault of Entrepot's own ({type(error).__name__}: {error}); nothing was stored halfway. Report it with {kept}.",
            1,
        )


def end(sentence: str, code: int) -> NoReturn:
    """One clear line on standard error, and the exit code."""
    sys.stderr.write(f"entrepot: {' '.join(sentence.split())}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
