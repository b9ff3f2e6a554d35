"""The switches of any sandbox shop under /sandbox/: who may turn them, and those that every channel has."""

import hmac
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sandbox.shops.answers import Call, Fields
from sandbox.shops.faults import Faults, Record

Act = Callable[[Fields], Any]


def common(switches: Faults[Any], record: Record) -> dict[str, Act]:
    """Faults and the record, by method and name."""
    return {
        "GET requests": lambda _: record.seen(),
        "DELETE requests": lambda _: record.clear(),
        "GET faults": lambda _: switches.waiting(),
        "POST faults": lambda wish: switches.add(str(wish.pop("kind", "")), **wish),
        "DELETE faults": lambda _: switches.clear(),
    }


def turned(
    acts: Mapping[str, Act],
    call: Call,
    token: str,
    refusals: tuple[type[Exception], ...] = (),
    around: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> tuple[int, Any]:
    """Status and JSON of one request below /sandbox/, which carries `Authorization: Bearer <token>`.

    401 without the token, 404 for a switch there is not, 400 with the reason where it cannot be followed: ValueError,
    TypeError, KeyError, and the channel's own `refusals`. The switch is turned inside `around`, which a refusal leaves.
    """
    given = call.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), token.encode()):
        return 401, {"message": "The admin token is missing or wrong."}
    name = f"{call.method} {call.path.removeprefix('/sandbox/')}"
    if name not in acts:
        return 404, {"message": f"There is no switch {name}."}
    followed: tuple[type[Exception], ...] = (ValueError, TypeError, KeyError, *refusals)
    try:
        with around():
            found = acts[name](call.wish)
    except followed as error:
        return 400, {"message": str(error)}
    return 200, {"done": True} if found is None else found
