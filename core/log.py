"""One line per log entry on stderr, key=value, secrets removed: for our own entries and those of libraries."""

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "***"
_SECRET_NAME = re.compile(
    r"secret|password|passwd|passphrase|authorization|cookie|credential|token|(^|[_-])(api)?keys?$|^dsn$",
    re.I,
)
_SECRET_VALUE = re.compile(
    r"""\b(?:ck|cs)_[0-9A-Za-z]{4,}                         # WooCommerce keys
      | \bshp(?:at|ca|pa|ss)_[0-9A-Za-z]{4,}                # Shopify tokens
      | (?<=://)[^\s/@:]*:[^\s/@]+(?=@)                     # user:password in an address
      | (?<=\bBearer\s)[\w.~+/=-]+ | (?<=\bBasic\s)[\w+/=-]+
      | (?<=[?&;\s"'](?:key|sig)=)[^&;\s"']+
      | (?<=secret=)[^&;\s"']+ | (?<=token=)[^&;\s"']+ | (?<=password=)[^&;\s"']+""",
    re.X | re.I,
)


def masked(text: str) -> str:
    """`text` without what looks like a secret: shop keys, bearer tokens, passwords in addresses."""
    return _SECRET_VALUE.sub(HIDDEN, text)


def logger(name: str) -> Any:
    """A logger of ours: `log.logger("relay").info("published", count=3)`."""
    return structlog.get_logger(name)


def configure(level: str = "INFO") -> None:
    """Sends everything to stderr, one line an entry. Libraries speak from WARNING on."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _one_line],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [to_stderr]
    root.setLevel(level.upper())
    for library in ("dramatiq", "pika", "alembic", "httpx2", "uvicorn.access"):
        logging.getLogger(library).setLevel(logging.WARNING)


def _mask(_logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
    return {name: _without_secrets(name, value) for name, value in entry.items()}


def _without_secrets(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: _without_secrets(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets("", inner) for inner in value]
    if isinstance(value, int | float | bool | None):
        return value
    return masked(str(value))


def _one_line(_logger: WrappedLogger, _method: str, entry: EventDict) -> str:
    head = [str(entry.pop(name, "")) for name in ("timestamp", "level", "logger", "event")]
    return " ".join(_escaped(word) for word in head) + "".join(
        f" {name}={_quoted(str(value))}" for name, value in entry.items()
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")


def _quoted(text: str) -> str:
    text = _escaped(text)
    return '"' + text.replace('"', '\\"') + '"' if not text or re.search(r'[\s"=]', text) else text
