"""Credentials encrypted at rest: what opens them never lies in the database."""

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from core.errors import Misconfigured
from core.settings import Settings


class Vault:
    """Seals with the first key, opens with any: a new key is put in front, and `rotate` brings old seals to it.

    A seal is `<key id>.<Fernet token>`; the id, the first 8 hex digits of the key's SHA-256, only says which key
    is needed. Raises Misconfigured where a key is no Fernet key (32 bytes in URL-safe base64).
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise Misconfigured(
                "The vault has no key. Set ENTREPOT_VAULT_KEYS, or remove it to have a key file made."
            )
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise Misconfigured(
                "A key of the vault is not a Fernet key. Make one with `python -c 'from cryptography.fernet import "
                "Fernet; print(Fernet.generate_key().decode())'`; keys are separated by commas, newest first."
            ) from None
        self._ids = tuple(hashlib.sha256(key.encode()).hexdigest()[:8] for key in keys)

    def __repr__(self) -> str:
        return f"Vault(keys {', '.join(self._ids)})"

    def seal(self, secret: dict[str, Any]) -> bytes:
        """The secret encrypted and authenticated; sealing twice gives different bytes."""
        return self._marked(self._fernet.encrypt(json.dumps(secret).encode()))

    def open(self, sealed: bytes) -> dict[str, Any]:
        """The secret again. Raises Misconfigured where no key opens it or it was changed."""
        key_id, token = self._split(sealed)
        try:
            opened: dict[str, Any] = json.loads(self._fernet.decrypt(token))
        except InvalidToken:
            raise self._refusal(key_id) from None
        return opened

    def rotate(self, sealed: bytes) -> bytes:
        """The same secret sealed with the first key; the same bytes where it is already. Raises as `open` does."""
        key_id, token = self._split(sealed)
        if key_id == self._ids[0]:
            return sealed
        try:
            return self._marked(self._fernet.rotate(token))
        except InvalidToken:
            raise self._refusal(key_id) from None

    def _marked(self, token: bytes) -> bytes:
        return self._ids[0].encode() + b"." + token

    @staticmethod
    def _split(sealed: bytes) -> tuple[str, bytes]:
        key_id, _, token = bytes(sealed).partition(b".")
        return key_id.decode("ascii", "replace"), token

    def _refusal(self, key_id: str) -> Misconfigured:
        if key_id in self._ids:
            return Misconfigured("Stored credentials were damaged and cannot be opened; enter them again.")
        return Misconfigured(
            f"Stored credentials were sealed with the key {key_id}, but the vault has {', '.join(self._ids)}. Add the "
            "old key behind the others in ENTREPOT_VAULT_KEYS (or vault.key), or enter the credentials again."
        )


def load_vault(settings: Settings) -> Vault:
    """The vault of this installation: keys from ENTREPOT_VAULT_KEYS, else from ENTREPOT_DATA/vault.key.

    The file is made once, readable by its owner only. Raises Misconfigured where the keys cannot be used.
    """
    if settings.vault_keys:
        return Vault([key.strip() for key in settings.vault_keys.split(",") if key.strip()])
    path = settings.data / "vault.key"
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            raise Misconfigured(f"{path} may be read by others than its owner; run `chmod 600 {path}`.")
        return Vault(path.read_text().split())
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"The vault's key file {path} cannot be used: {error}.") from None


def _make(path: Path) -> None:
    """Two processes may both come here; the link lets one key win, and both then read that one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".vault.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink()
