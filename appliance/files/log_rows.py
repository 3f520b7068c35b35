"""Rows of a file that are raw logs of one contract, decoded by a preset."""

from appliance.chain.counts import Counts
from appliance.chain.decode import Decoder
from appliance.chain.log import Logs
from appliance.chain.market import ContractMarket
from appliance.files.importer import Submission
from appliance.files.logs import find_columns, logs
from appliance.files.table import Piece


class LogRows:
    """Turns raw logs into trades; what is not a trade is counted and told."""

    def __init__(self, market: ContractMarket) -> None:
        """Decode logs of `market` only; logs without an address column are taken as its own."""
        self._market = market
        self._address = market.address.lower()
        self._decoder = Decoder(market.spec.chain_id, [market])
        self._found: dict[str, str] | None = None
        self._counts = Counts()
        self._funding = 0

    def submission(self, piece: Piece) -> Submission:
        """Return the trades of a piece; BadRequest names the line that is wrong."""
        if self._found is None:
            columns = list(dict.fromkeys(name for row in piece.rows for name in row))
            has_address = {"address", "contract_address", "contract"} & set(columns)
            self._given = "" if has_address else self._address
            self._found = find_columns(columns, self._given)
        decoded = self._decoder.decode(Logs.of(logs(piece, self._found, self._given)))
        self._counts.add(decoded.counts)
        self._funding += len(decoded.marks)
        return decoded.trades, self._decoder.specs

    def remarks(self) -> list[str]:
        """Return how many logs were no trades, and the first malformed ones."""
        counts = self._counts
        lines = []
        if counts.ignored:
            lines.append(f"{counts.ignored:,} logs of other events left out")
        if counts.foreign:
            lines.append(f"{counts.foreign:,} logs of other contracts left out")
        if self._funding:
            lines.append(f"{self._funding:,} funding updates are not stored in this version")
        if counts.malformed:
            lines.append(f"{counts.malformed:,} malformed logs left out:")
            lines += [
                f"  block {e.block_number}, log index {e.log_index}: {e.event}: {e.reason}"
                for e in counts.examples
            ]
        return lines
