"""The runner: claims chunks, makes their calls or runs their handlers, hands in the results."""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.worker.auth import Auth
    from headgate.worker.calls import Caller, Reply
    from headgate.worker.chunks import Call, Store
    from headgate.worker.http_requests import request_of
    from headgate.worker.rules import Answer, Rule, Rules
    from headgate.worker.stores import look_into
    from headgate.worker.totals import Totals
    from headgate.worker.wire import signed_headers, signed_url
    from headgate.worker.worker import name_prefix, work

__all__ = [
    "Answer",
    "Auth",
    "Call",
    "Caller",
    "Reply",
    "Rule",
    "Rules",
    "Store",
    "Totals",
    "look_into",
    "name_prefix",
    "request_of",
    "signed_headers",
    "signed_url",
    "work",
]
__getattr__ = lazily(
    __name__,
    {
        "Answer": "rules",
        "Auth": "auth",
        "Call": "chunks",
        "Caller": "calls",
        "Reply": "calls",
        "Rule": "rules",
        "Rules": "rules",
        "Store": "chunks",
        "Totals": "totals",
        "look_into": "stores",
        "name_prefix": "worker",
        "request_of": "http_requests",
        "signed_headers": "wire",
        "signed_url": "wire",
        "work": "worker",
    },
)
