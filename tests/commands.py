"""What tests of the command line stand on: a command run in this process, its last line, and workers that run at once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from cli.__main__ import main
from core.database import Database, UnitOfWork
from tests.stepping import run_all


@dataclass
class Shell:
    """`ask` gives the JSON of a command that succeeds; `refuse` exit code and sentence of one that does not."""

    capsys: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    def run(self, *words: object) -> tuple[int, dict[str, Any], str]:
        """Exit code, last line, and what was said on standard error."""
        self.patch.setattr("sys.argv", ["entrepot", *map(str, words), "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        said = self.capsys.readouterr()
        lines = said.out.strip().splitlines()
        return int(ended.value.code or 0), json.loads(lines[-1]) if lines else {}, said.err.strip()

    def ask(self, *words: object) -> dict[str, Any]:
        """The answer."""
        code, answer, said = self.run(*words)
        assert (code, said) == (0, ""), (words, code, said)
        return answer

    def refuse(self, *words: object) -> tuple[int, str]:
        """The exit code and the one line on standard error; nothing is answered."""
        code, answer, said = self.run(*words)
        assert (answer, said.count("\n")) == ({}, 0), (words, answer, said)
        return code, said.removeprefix("entrepot: ")

    def read(self, *words: object) -> str:
        """What a person reads."""
        self.patch.setattr("sys.argv", ["entrepot", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code, words
        return self.capsys.readouterr().out


def work_at_once(patch: pytest.MonkeyPatch, *modules: str) -> None:
    """In these modules of the command line, waiting means that the steps are run here and now."""

    def until(db: Database, look: Callable[[UnitOfWork], tuple[bool, str]], what: str) -> None:
        run_all(db)
        with db.unit_of_work() as uow:
            assert look(uow)[0], what

    for module in modules:
        patch.setattr(f"cli.{module}.until", until)
