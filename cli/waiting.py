"""Waits for work that others do, with a line of progress; says so where nobody does it."""

import sys
import threading
from collections.abc import Callable

from core.database import Database, UnitOfWork
from core.errors import Temporary

QUIET_SECONDS = 15
"""After so long without any change a person is told that perhaps no worker runs."""


def last_dead_letter(uow: UnitOfWork) -> int:
    """The number of the newest dead letter, 0 where there is none: look before the work begins."""
    row = uow.cursor().execute("SELECT coalesce(max(id), 0) FROM dead_letter").fetchone()
    return int(row[0]) if row else 0


def given_up_since(uow: UnitOfWork, lane: str, number: int) -> str | None:
    """What a step of the lane said that was given up after dead letter `number`; None where none was."""
    row = (
        uow.cursor()
        .execute(
            "SELECT error FROM dead_letter WHERE lane = %s AND id > %s ORDER BY id LIMIT 1", [lane, number]
        )
        .fetchone()
    )
    return str(row[0]) if row else None


def quiet(uow: UnitOfWork, lane: str) -> tuple[bool, str]:
    """Whether no step of the lane is left to do, and how many are."""
    row = uow.cursor().execute("SELECT count(*) FROM message WHERE lane = %s", [lane]).fetchone()
    number = int(row[0]) if row else 0
    return number == 0, f"{number} steps to go"


def until(
    db: Database, look: Callable[[UnitOfWork], tuple[bool, str]], what: str, *, timeout: float = 900
) -> None:
    """Looks, often at first and then twice a second, until `look` answers (True, …). Raises Temporary after `timeout` seconds; the work goes on."""
    from rich.console import Console

    pause, waited, last, quiet, told = threading.Event(), 0.0, "", 0.0, False
    console = Console(stderr=True)
    with console.status(what) as status:
        while True:
            with db.unit_of_work() as uow:
                over, word = look(uow)
            if over:
                return
            step = min(0.5, 0.05 + waited / 4)
            quiet = 0.0 if word != last else quiet + step
            last = word
            status.update(f"{what}: {word}")
            if quiet > QUIET_SECONDS and not told:
                sys.stderr.write(
                    f"entrepot: nothing moves while {what}; is `./run up` running? The work is kept and goes on when it is.\n"
                )
                told = True
            if waited > timeout:
                with db.unit_of_work() as uow:
                    oldest = _oldest(uow)
                raise Temporary(
                    f"After {timeout:.0f} s {what} is not over ({word}); nothing is lost, it goes on when workers run.{oldest}"
                )
            pause.wait(step)
            waited += step


def _oldest(uow: UnitOfWork) -> str:
    """What has waited longest, for whoever must find out why."""
    row = (
        uow.cursor()
        .execute("SELECT id, step, attempts, last_error FROM message ORDER BY created_at, id LIMIT 1")
        .fetchone()
    )
    if row is None:
        return ""
    number, step, attempts, error = row
    tried = f"tried {attempts} times" if attempts else "not tried yet"
    return f" Longest waits message {number} ({step}, {tried}{': ' + error if error else ''})."
