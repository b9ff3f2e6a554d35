"""Who stands beside shops in the demo and the journeys: suppliers with an order server, and the bank at its counter."""

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from sandbox.people import CHECKOUT, Server, Trouble, first_line, kept_port, start


class SupplierOffice(Server):
    """A supplier's order server as a process. sandbox.people.stop_all() ends it."""

    def __init__(self, folder: Path, name: str) -> None:
        port = kept_port(folder)
        self.name = name
        self.child = start(
            [
                sys.executable,
                "-m",
                "sandbox.supplier",
                "--name",
                name,
                "--folder",
                str(folder),
                "--port",
                port,
            ]
        )
        told = first_line(self.child, f"The supplier {name}")
        super().__init__(told["url"])
        self.key, self.ca_file, self._admin_token = told["key"], told["ca_file"], told["admin_token"]
        self._tls = ssl.create_default_context(cafile=self.ca_file)

    def orders(self) -> list[dict[str, Any]]:
        """All orders he has; `asked` counts how often each one's reference was asked for."""
        found: list[dict[str, Any]] = self.switch("GET", "orders")
        return found

    def switch(self, method: str, name: str, **wish: Any) -> Any:
        """One of his own switches (docs/suppliers.md): faults, requests, settings, ship."""
        request = urllib.request.Request(
            f"{self.url}/sandbox/{name}", method=method, data=json.dumps(wish).encode() if wish else None,
            headers={"Authorization": f"Bearer {self._admin_token}", "Content-Type": "application/json"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=60, context=self._tls) as answer:
                return json.load(answer)
        except urllib.error.URLError as error:
            raise Trouble(f"The supplier {self.name} does not answer {method} {name}: {error}") from None


class Bank:
    """The sandbox bank, asked at its command line; amounts are decimals as text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def topup(self, amount: str, reference: str, payer: str) -> dict[str, Any]:
        """Somebody pays in."""
        return self.ask("topup", "--amount", amount, "--reference", reference, "--payer", payer)

    def pay(self, file: Path) -> dict[str, Any]:
        """Hands in a pain.001 file. Raises Trouble with the bank's words where it refuses."""
        return self.ask("pay", str(file))

    def close(self, iban: str) -> dict[str, Any]:
        """What is paid to this IBAN comes back on the next day."""
        return self.ask("close", iban)

    def statement(self, out: Path) -> dict[str, Any]:
        """Closes the bank's day with a camt.053 file."""
        return self.ask("statement", "--out", str(out))

    def ask(self, *words: str) -> dict[str, Any]:
        """`python -m sandbox.bank FOLDER …`: its last line. Raises Trouble where the bank refuses or fails."""
        done = subprocess.run(
            [sys.executable, "-m", "sandbox.bank", str(self.folder), *words], capture_output=True, text=True,
            cwd=CHECKOUT, timeout=60, check=False,
        )  # fmt: skip
        lines = done.stdout.strip().splitlines()
        answer: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        if done.returncode != 0:
            why = answer.get("refused") or done.stderr.strip()[-500:]
            raise Trouble(f"The bank does not do “{' '.join(words)}”: {why}")
        return answer
