"""Errors as Binance writes them: `{"code":-1121,"msg":"Invalid symbol."}`.

Clients look at the number; the sentence of Binance comes first, ours with value and cure after it.
"""

from typing import TYPE_CHECKING, Final

from appliance.errors import BadRequest

if TYPE_CHECKING:
    from appliance.web.answers import Failure

UNKNOWN: Final = -1000
UNAVAILABLE: Final = -1001
TOO_MANY_REQUESTS: Final = -1003
UNSUPPORTED: Final = -1020
ILLEGAL: Final = -1100
TOO_MANY_PARAMETERS: Final = -1101
MISSING: Final = -1102
BAD_INTERVAL: Final = -1120
BAD_SYMBOL: Final = -1121
BAD_COMBINATION: Final = -1128
BAD_VALUE: Final = -1130
BAD_TICKER_TYPE: Final = -1139

_BY_FIELD: Final = {
    "interval": (BAD_INTERVAL, "Invalid interval. "),
    "symbol": (BAD_SYMBOL, "Invalid symbol. "),
}
_BY_STATUS: Final = {
    404: (UNSUPPORTED, "This operation is not supported. "),
    405: (UNSUPPORTED, "This operation is not supported. "),
    429: (TOO_MANY_REQUESTS, "Too many requests. "),
    500: (UNKNOWN, "An unknown error occurred while processing the request. "),
    503: (UNAVAILABLE, "Internal error; unable to process your request. Please try again. "),
}


class Refused(BadRequest):
    """A value that Binance has a number for."""

    def __init__(self, number: int, message: str, field: str | None = None) -> None:
        """Keep the number beside the sentence."""
        super().__init__(message, field)
        self.code = str(number)


def unknown_symbol() -> Refused:
    """Return what clients expect to the letter."""
    return Refused(BAD_SYMBOL, "Invalid symbol.", "symbol")


def missing(name: str) -> Refused:
    """Return the error of a parameter that must be given."""
    message = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return Refused(MISSING, message, name)


def illegal(name: str, legal: str, value: str) -> Refused:
    """Return the error of a value that cannot be read."""
    message = (
        f"Illegal characters found in parameter '{name}'; legal range is '{legal}', "
        f"was {value[:64]!r}."
    )
    return Refused(ILLEGAL, message, name)


def bad_value(name: str, cure: str, value: object) -> Refused:
    """Return the error of a value that can be read but not used."""
    message = f"Data sent for parameter '{name}' is not valid. {name} must be {cure}, was {value}."
    return Refused(BAD_VALUE, message, name)


def bad_combination(cure: str) -> Refused:
    """Return the error of parameters that exclude each other."""
    return Refused(BAD_COMBINATION, f"Combination of optional parameters invalid. {cure}")


def body(failure: "Failure") -> object:
    """Return the body of any error under the paths of this dialect."""
    if failure.code.startswith("-"):  # refused here, with its number
        return {"code": int(failure.code), "msg": failure.message}
    if failure.status == 400:
        number, sentence = _BY_FIELD.get(failure.field or "", (ILLEGAL, ""))
    else:
        other = _BY_STATUS[503] if failure.status > 500 else (ILLEGAL, "")
        number, sentence = _BY_STATUS.get(failure.status, other)
    return {"code": number, "msg": f"{sentence}{failure.message}"}
