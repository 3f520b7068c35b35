"""What every web module is given: the parts of the running appliance, built once in `app.py`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.metrics import Metrics
from appliance.settings import Settings

if TYPE_CHECKING:
    from appliance.datafeed import Datafeed
    from appliance.directory import Directory
    from appliance.ingest import Ingest
    from appliance.pages import Pages
    from appliance.positions import Positions
    from appliance.sources import DemoSource
    from appliance.status import Status
    from appliance.store.backup import Backups
    from appliance.store.catalogue import Catalogue
    from appliance.store.verify import Verifier
    from appliance.streaming.streams import Streams


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that endpoints call.

    `admin_token` is the secret of DATA_DIR/server.json, `instance` its public name, by which the
    command line knows that it speaks to the server that wrote the file, and streams of which run
    they are. `demo` is None where it is switched off.
    """

    settings: Settings
    metrics: Metrics
    catalogue: "Catalogue"
    datafeed: "Datafeed"
    pages: "Pages"
    positions: "Positions"
    directory: "Directory"
    ingest: "Ingest"
    streams: "Streams"
    status: "Status"
    backups: "Backups"
    verifier: "Verifier"
    admin_token: str
    instance: str = ""
    demo: "DemoSource | None" = None
