"""Every error the product raises on purpose; the class says who must act.

ApplianceError
├── ConfigError          the operator: a setting is wrong, the start stops
├── StoreLocked          the operator: another process owns the data directory
├── Retryable            nobody: the same call may succeed in a moment (503)
│   └── DiskFull             the operator: free some space (507)
└── RequestError         the caller
    ├── BadRequest           a value is wrong (400); names field, value and cure
    ├── Unauthorized         no key, or not a known one (401)
    ├── Forbidden            the key does not allow this (403)
    ├── NotFound             nothing is there (404)
    │   └── UnknownSymbol        no such market
    ├── Conflict             contradicts what is stored (409)
    └── TooLarge             over a limit (413)
"""


class ApplianceError(Exception):
    """Any error whose message is meant to be read by a person."""


class ConfigError(ApplianceError):
    """A setting is wrong; the message gives its name, its value and the cure."""


class StoreLocked(ApplianceError):
    """Another process owns the data directory."""


class Retryable(ApplianceError):
    """The store is busy or failing; asking again may help."""

    status = 503
    code = "unavailable"


class DiskFull(Retryable):
    """There is no room to write; reading goes on."""

    status = 507
    code = "disk_full"


class RequestError(ApplianceError):
    """The caller must change the request; `field` names what to change."""

    status = 400
    code = "bad_request"

    def __init__(self, message: str, field: str | None = None) -> None:
        """Keep the sentence for people and the field for programs."""
        super().__init__(message)
        self.field = field


class BadRequest(RequestError):
    """A value is wrong."""


class Unauthorized(RequestError):
    """No key was sent, or it is not a known one."""

    status = 401
    code = "unauthorized"


class Forbidden(RequestError):
    """The key does not allow this, or no key is configured."""

    status = 403
    code = "forbidden"


class NotFound(RequestError):
    """Nothing is there."""

    status = 404
    code = "not_found"


class UnknownSymbol(NotFound):
    """No market answers to this symbol."""

    code = "unknown_symbol"

    def __init__(self, symbol: str) -> None:
        """Name the symbol that was asked for."""
        super().__init__(f"symbol must name a known market, was {symbol!r}", "symbol")


class Conflict(RequestError):
    """The request contradicts what is stored."""

    status = 409
    code = "conflict"


class TooLarge(RequestError):
    """The request is over a limit."""

    status = 413
    code = "too_large"
