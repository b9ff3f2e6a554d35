"""`entrepot …`: mounts the noun that is asked for, and turns every error into one clear line and an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, NoReturn

import typer

from core.clock import now
from core.errors import EntrepotError
from core.settings import load

NOUNS = {
    "company": "terms:company",
    "supplier": "terms:supplier",
    "seller": "companies:seller",
    "feed": "feeds:app",
    "shop": "shops:app",
    "adoption": "adoption:app",
    "select": "selections:app",
    "price": "prices:price",
    "rates": "prices:rates",
    "listing": "listings:app",
    "lineage": "lineage:why",
    "offer": "lineage:offer",
    "taxonomy": "taxonomy:app",
    "push": "listings:push",
    "order": "orders:app",
    "privacy": "privacy:app",
    "po": "purchasing:app",
    "ship": "orders:shipping",
    "refund": "orders:refunds",
    "deposit": "money:deposit",
    "settle": "settlement:settle",
    "payout": "settlement:payout",
    "bank": "settlement:bank",
    "account": "money:account",
    "proof": "money:proof",
    "why": "money:why",
    "message": "queues:message",
    "dead-letter": "queues:dead_letter",
    "status": "queues:status",
    "operator": "service:operator",
    **{name: f"service:{name}" for name in ("up", "serve", "worker", "relay", "schedule", "migrate")},
}
"""noun -> where it is, below cli/: a group of commands, or one command."""


def mounted(words: Sequence[str]) -> typer.Typer:
    """The command line with the one noun that `words` name, or with all: half of a command's time is its imports."""
    app = typer.Typer(
        name="entrepot", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
        help="A hub between many suppliers and many sellers' web shops.", callback=options,
    )  # fmt: skip
    named = [word for word in words if word in NOUNS][:1]
    for noun in named or NOUNS:
        found = resolve_name(f"cli.{NOUNS[noun]}")
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=noun)
        else:
            app.command(noun)(found)
    return app


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
        sys.exit(mounted(sys.argv[1:])(standalone_mode=False, prog_name="entrepot") or 0)
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
        if isinstance(error, UnicodeEncodeError) and any(map(_broken, sys.argv)):
            end(
                "A word of the command is no UTF-8: name the thing by its number, or set the terminal to UTF-8.",
                2,
            )
        if _beyond(error):
            end("A number is too great, or a text holds a character that no text can hold.", 2)
        kept = load().data / "errors" / f"{now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text("".join(traceback.format_exception(error)))
        end(
            f"This is a fault of Entrepot's own ({type(error).__name__}: {error}); nothing was stored halfway. Report it with {kept}.",
            1,
        )


def _broken(word: str) -> bool:
    """Whether the terminal sent bytes that are no UTF-8; as a file's name they do no harm."""
    return any("\udc80" <= sign <= "\udcff" for sign in word)


def _beyond(error: Exception) -> bool:
    """Whether the database could not hold what was given. Imported late: a command that ends well needs none of it."""
    import psycopg
    from sqlalchemy.exc import DataError

    return isinstance(error, DataError | psycopg.DataError)


def end(sentence: str, code: int) -> NoReturn:
    """One clear line on standard error, and the exit code."""
    sys.stderr.write(f"entrepot: {' '.join(sentence.split())}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
