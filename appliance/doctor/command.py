"""`appliance doctor`: which chains to examine, and how the outcome is told."""

import argparse
import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from appliance.chain import preset as presets
from appliance.doctor.chain import findings
from appliance.doctor.finding import ChainFindings
from appliance.doctor.table import text
from appliance.errors import BadRequest, ConfigError
from appliance.following.chains import ChainTerms, configured
from appliance.following.terms import host_of
from appliance.progress import bars
from appliance.settings import Settings, values

_CURE: Final = (
    "an endpoint must be given: name one with --rpc URL, or set RPC_URL (for several chains "
    "MARKETS_FILE)"
)


def run(settings: Settings, options: argparse.Namespace) -> tuple[str, bool]:
    """Examine; return what to print, and whether each chain has an endpoint that is usable.

    Raises:
        BadRequest: an option is wrong.
        ConfigError: a setting is wrong, or there is nothing to examine.
    """
    chains = [terms for terms in chosen(settings, options) if terms.rpc_urls]
    if not chains:
        raise ConfigError(_CURE)
    in_file = bool(settings.markets_file) and not options.rpc
    found = asyncio.run(_all(chains, settings.rpc_timeout_ms / 1_000, in_file))
    well = all(chain.usable for chain in found)
    if options.json:
        formed = msgspec.json.encode({"usable": well, "chains": found})
        return msgspec.json.format(formed, indent=2).decode(), well
    return text(found, shutil.get_terminal_size((120, 40)).columns), well


def chosen(settings: Settings, options: argparse.Namespace) -> tuple[ChainTerms, ...]:
    """Return what to examine: the options where given, else what is configured.

    Raises:
        BadRequest: an option is wrong.
        ConfigError: a setting is wrong.
    """
    urls = _option("rpc", values.rpc_urls, options.rpc)
    addresses = _option("address", values.addresses, options.address)
    if options.preset and not addresses:
        raise BadRequest("--address must be given with --preset", "address")
    if settings.markets_file and not urls:
        return _of_file(settings, addresses, options.preset)
    changed = replace(settings, markets_file="", rpc_url=urls or settings.rpc_url)
    if urls:  # another node's announcements say nothing of these
        changed = replace(changed, ws_rpc_url="")
    if addresses:
        changed = _with_contracts(changed, addresses, options.preset)
    if not changed.rpc_url:
        return ()
    if changed.contract_address or changed.factory_address:
        return configured(changed)
    name = host_of(changed.rpc_url[0])
    return (ChainTerms(changed.rpc_url, changed.ws_rpc_url, None, None, (), name),)


def _of_file(
    settings: Settings, addresses: tuple[str, ...], preset: str | None
) -> tuple[ChainTerms, ...]:
    """Return the chains of MARKETS_FILE; its only one with other contracts where given."""
    chains = configured(settings)
    if not addresses:
        return chains
    if len(chains) > 1:
        raise BadRequest(
            "--rpc must be given with --address, as MARKETS_FILE names several chains", "rpc"
        )
    changed = replace(settings, markets_file="", rpc_url=chains[0].rpc_urls)
    (of_options,) = configured(_with_contracts(changed, addresses, preset))
    return (replace(chains[0], contracts=of_options.contracts),)


def _with_contracts(settings: Settings, addresses: tuple[str, ...], preset: str | None) -> Settings:
    """Return the settings with these contracts; `preset` may be a name or a .toml file."""
    changed = replace(settings, contract_address=addresses, factory_address=())
    if not preset:
        return changed
    if Path(preset).suffix != ".toml":
        return replace(changed, preset=preset)
    files = changed.events_file
    if Path(preset).resolve() not in {Path(file).resolve() for file in files}:
        files = (*files, preset)
    return replace(changed, preset=presets.load(Path(preset)).name, events_file=files)


def _option(
    name: str, parse: Callable[[str], tuple[str, ...]], given: Sequence[str]
) -> tuple[str, ...]:
    """Return what an option that may be repeated means; its text is not shown: URLs hold keys."""
    if not given:
        return ()
    try:
        return parse(",".join(given))
    except ValueError as error:
        raise BadRequest(f"--{name} must be {error}", name) from None


async def _all(
    chains: Sequence[ChainTerms], timeout_s: float, in_file: bool
) -> list[ChainFindings]:
    """Examine one chain after the other, with a bar on a terminal."""
    found: list[ChainFindings] = []
    with bars() as show:
        for terms in chains:
            done = len(found)

            def tell(part: float, done: int = done) -> None:
                show("examining", (done + part) / len(chains))

            found.append(await findings(terms, timeout_s, tell, in_file=in_file))
    return found
