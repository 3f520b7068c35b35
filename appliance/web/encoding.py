"""In which encodings a caller can read an answer (RFC 9110, 12.5.3)."""

from functools import lru_cache


@lru_cache(256)
def accepts_gzip(accepted: str) -> bool:
    """Return whether a caller with this Accept-Encoding can read gzip."""
    weights = {}
    for word in accepted.lower().split(","):
        name, _, weight = word.partition(";")
        weights[name.strip()] = weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))
