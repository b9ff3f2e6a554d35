"""Headers that every answer carries, and the limit on what may be sent to us."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",  # Tabler's stylesheet draws its arrows and ticks as data: images
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
SMALL = 1 << 20
"""Bytes a request may bring where it brings no file."""


class Guard:
    """Adds the headers, keeps pages out of caches, and refuses bodies beyond the limit while they come in.

    `upload_limit` in bytes holds for addresses that end in /file or /files; SMALL for all others.
    """

    def __init__(self, app: ASGIApp, upload_limit: int) -> None:
        self.app = app
        self.upload_limit = upload_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.upload_limit if scope["path"].endswith(("/file", "/files")) else SMALL
        length = Headers(scope=scope).get("content-length", "")
        declared, received = int(length) if length.isdigit() else 0, 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if max(received, declared) > limit:
                raise HTTPException(
                    413,
                    f"More than {limit:,} bytes were sent; that is the limit here. For files it is ENTREPOT_UPLOAD_LIMIT_MB.",
                )
            return message

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            await send(message)

        await self.app(scope, counted, dressed)
