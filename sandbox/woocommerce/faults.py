"""What can go wrong in a WooCommerce shop in particular, and how each of it looks from outside."""

from dataclasses import dataclass, replace

from sandbox.shops import faults
from sandbox.woocommerce.answers import HTML, Answer, Call, Fields

KINDS = (
    "maintenance",  # WordPress' own 503
    "database_down",  # WordPress' own 500
    "html",  # 200 with a page instead of JSON, as a cache, a login or a firewall in front has it; nothing is done
    "moved",  # 301 to the same address under www., as of a shop whose name was typed without it; nothing is done
    "php_fatal",  # a plugin threw before anything was done
    "stray",  # done, and a plugin's text stands before the JSON
    "slow",  # done over `seconds`, a batch piece by piece, whether the client still waits or not; then answered
    "content_type",  # done, and labelled text/plain
)
STRAY = b"<br />Warning: something deprecated in plugin.php on line 3<br />"
_MAINTENANCE = "Briefly unavailable for scheduled maintenance. Check back in a minute."
_FATAL = (
    "<p>There has been a critical error on this website.</p>"
    '<p><a href="https://wordpress.org/documentation/article/faq-troubleshooting/">'
    "Learn more about troubleshooting WordPress.</a></p>"
)


@dataclass
class Fault(faults.Fault):
    """`method` and `path` narrow it; a path matches from its start below `/wp-json/wc/v3`, e.g. `/products/batch`."""

    method: str = ""
    path: str = ""

    def hits(self, call: Call) -> bool:
        below = call.path.removeprefix("/wp-json/wc/v3")
        return (not self.method or self.method == call.method) and below.startswith(self.path)


def instead(fault: Fault, call: Call) -> Answer | None:
    """The answer that stands in place of the shop's own, for the kinds where nothing is done."""
    if fault.kind == "maintenance":
        retry = {"Retry-After": "600"}
        if "application/json" not in call.headers.get("accept", ""):
            page = f'<!DOCTYPE html>\n<html dir="ltr"><head><title>Maintenance</title></head>\n<body id="error-page">\n\t<div class="wp-die-message">{_MAINTENANCE}</div></body>\n</html>\n'
            return Answer(503, page.encode(), retry, "text/html; charset=UTF-8", "died")
        return Answer(503, _died("wp_die", _MAINTENANCE, 503), retry, envelope="died")
    if fault.kind == "database_down":
        message = "<h1>Error establishing a database connection</h1>"
        return Answer(500, _died("wp_die", message, 500), envelope="died")
    if fault.kind == "php_fatal":
        return Answer(500, _died("internal_server_error", _FATAL, 500), envelope="died")
    if fault.kind == "html":
        login = b"<!DOCTYPE html><html><head><title>Log in</title></head><body><form></form></body></html>"
        return Answer(200, login, {}, HTML, "proxy")
    if fault.kind == "moved":
        address = f"https://www.{call.headers.get('host', '127.0.0.1')}{call.below}{call.path}"
        return Answer(301, b"", {"Location": address}, HTML, "proxy")
    if fault.kind == "status":
        retry = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        return Answer(fault.status, b"", retry, "text/html", "proxy")
    return None


def spoiled(fault: Fault, answer: Answer) -> Answer:
    """The shop's own answer as the fault lets it through."""
    if fault.kind == "stray":
        return Answer(200, STRAY + answer.encoded(), {}, "text/html; charset=UTF-8", "stray")
    if fault.kind == "content_type":
        return replace(answer, body=answer.encoded(), content_type="text/plain")
    return answer


def _died(code: str, message: str, status: int) -> Fields:
    return {"code": code, "message": message, "data": {"status": status}, "additional_errors": []}
