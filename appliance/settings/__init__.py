"""Every setting: one table, what its texts mean, where they come from, what is shown of them."""

from appliance.settings.shown import document, redacted
from appliance.settings.source import notices, read
from appliance.settings.table import Demo, Settings, rows
from appliance.settings.values import SCOPES, ApiKey, Scope

__all__ = [
    "SCOPES",
    "ApiKey",
    "Demo",
    "Scope",
    "Settings",
    "document",
    "notices",
    "read",
    "redacted",
    "rows",
]
