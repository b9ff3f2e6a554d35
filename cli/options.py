"""Options that several commands share are written once, as a dataclass; a command takes it as one value."""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """For below `@app.command(…)`: each parameter whose type is a dataclass becomes an option for each of its fields.

    A field is declared as a parameter would be: `margin: Annotated[str | None, typer.Option(help="…")] = None`.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {}
    shown: list[inspect.Parameter] = []
    for own in inspect.signature(command).parameters.values():
        kind = hints[own.name]
        if isinstance(kind, type) and is_dataclass(kind):
            groups[own.name] = kind
            types = get_type_hints(kind, include_extras=True)
            shown += [
                own.replace(name=one.name, annotation=types[one.name], default=one.default)
                for one in fields(kind)
            ]
        else:
            shown.append(own.replace(annotation=hints[own.name]))

    def run(**given: Any) -> None:
        gathered = {
            name: kind(**{one.name: given.pop(one.name) for one in fields(kind)})
            for name, kind in groups.items()
        }
        command(**given, **gathered)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {one.name: one.annotation for one in shown} | {"return": None}
    run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return run
