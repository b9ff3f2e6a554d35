"""Keeps the certificate authority of a shop with a certificate of its own, as a person pastes or sends it."""

import hashlib
import re
import ssl

from core.errors import Misconfigured, Refused
from core.settings import Settings

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
MOST = 200_000
"""Characters; a bundle of all public authorities is as long."""


def keep_authority(settings: Settings, text: str | None) -> str | None:
    """The path of a PEM file in the hub's data folder with the certificates of `text`; None where nothing is given.

    The same certificates are the same file. Raises Refused for what is no PEM certificate, and for a private key, which
    is nobody's business here; Misconfigured where the folder cannot be written.
    """
    if not text or not text.strip():
        return None
    if "PRIVATE KEY-----" in text:
        raise Refused(
            "That has a private key in it: it stays with the shop. Give its certificate authority alone.",
            rule="ca",
        )
    found = [re.sub(r"\r\n?", "\n", one) for one in CERTIFICATE.findall(text[: MOST + 1])]
    if len(text) > MOST or not found:
        raise Refused(
            "That is no certificate authority: give the PEM file, which begins with -----BEGIN CERTIFICATE-----.",
            rule="ca",
        )
    pem = "\n".join(found) + "\n"
    try:
        ssl.create_default_context(cadata=pem)
    except ssl.SSLError as error:
        raise Refused(
            f"The certificate authority cannot be read ({error.reason or error}): was it copied whole?",
            rule="ca",
        ) from None
    return _written(settings, pem)


def _written(settings: Settings, pem: str) -> str:
    """By its hash, and by a rename: nobody ever reads half of it."""
    folder = settings.data.resolve() / "authorities"
    file = folder / f"{hashlib.sha256(pem.encode()).hexdigest()[:32]}.pem"
    try:
        if not file.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(".part")
            part.write_text(pem)
            part.replace(file)
    except OSError as error:
        raise Misconfigured(
            f"The certificate authority cannot be kept in {folder}: {error.strerror or error}."
        ) from None
    return str(file)
