"""The whole error tree on one page: what may be raised, and what each means for whoever waits.

Every message is one clear sentence: what is wrong, where, and what to do. The command line prints it
on stderr and exits with `exit_code`; a worker decides by the class whether waiting helps.
"""

from typing import TypeVar

Thing = TypeVar("Thing")


class EntrepotError(Exception):
    """Base of all errors the hub raises on purpose. `str(error)` is a sentence for a person."""

    exit_code = 1


class Temporary(EntrepotError):
    """Waiting helps: a time-out before anything was sent, a 429, a 5xx, a database restart.

    `retry_after` is the other side's own wish in seconds, where it gave one. With `counts` False the wait is no
    attempt: the other side is known to be away, and nothing is given up over that.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, counts: bool = True) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.counts = counts


class Unknown(EntrepotError):
    """The call may have happened: look before you repeat. Waiting alone does not tell."""


class Permanent(EntrepotError):
    """Repeating cannot help; the message becomes a dead letter at once."""

    exit_code = 2


class Misconfigured(Permanent):
    """The owner must act: a wrong key, a missing scope, a folder that is not there."""


class Refused(Permanent):
    """This input will never do: an unusable file, a value the shop rejects.

    `rule` is the machine-readable reason (for feeds one of the rules of docs/feeds.md), "" where none applies.
    """

    def __init__(self, message: str, *, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule


def there_is(found: Thing | None, what: str) -> Thing:
    """`found`. Raises Refused with the rule "not_found" where it is None; `what` begins the sentence."""
    if found is None:
        raise Refused(
            f"{what} is not there. It may have been removed, or the address is mistyped.", rule="not_found"
        )
    return found
