"""Which chains and contracts the operator wants: from variables, or from a file of markets.

One chain is said with variables, several with MARKETS_FILE; both at once would leave open which
one is meant, and are refused. A contract without a node is no mistake: its events may be pushed
(POST /api/events and /api/webhooks), and its terms say how to read them.
"""

import logging
from typing import Final

from appliance.errors import ConfigError
from appliance.following.chains_file import read_file
from appliance.following.presets import Presets
from appliance.following.terms import ChainTerms, ContractTerms, check_together, host_of
from appliance.settings import Settings

__all__ = ["ChainTerms", "ContractTerms", "configured", "default_confirmations"]
log = logging.getLogger(__name__)

_CONFIRMATIONS: Final = {
    1: 65,  # two epochs of 32 blocks, and one more
    56: 15,  # votes make a block final after 2; measured reorgs were below 10
    100: 65,
    137: 200,  # reorgs of more than 150 blocks have happened
    42_161: 240,  # a minute of its quarter-second blocks
    42_170: 240,
    31_337: 8,  # local chains of developers
    1_337: 8,
}
_L2_CONFIRMATIONS: Final = 30
_L2S: Final = frozenset(
    {10, 130, 252, 324, 480, 1_101, 5_000, 8_453, 34_443, 57_073, 59_144, 81_457, 534_352}
    | {7_777_777, 84_532, 11_155_420}
)
_OTHER_CONFIRMATIONS: Final = 65


def default_confirmations(chain_id: int) -> int:
    """Return after how many blocks a trade counts as final where the operator does not say."""
    other = _L2_CONFIRMATIONS if chain_id in _L2S else _OTHER_CONFIRMATIONS
    return _CONFIRMATIONS.get(chain_id, other)


def configured(settings: Settings) -> tuple[ChainTerms, ...]:
    """Return the chains, in the order given; none where none is configured.

    Raises:
        ConfigError: a value is wrong, or values contradict each other; says what to change.
    """
    presets = Presets(settings.events_file)
    if settings.markets_file:
        _refuse_both(settings)
        chains = read_file(settings.markets_file, presets)
    else:
        chains = _from_variables(settings, presets)
    used = {terms.preset.name for chain in chains for terms in chain.contracts}
    for name in presets.own:
        if name not in used:
            log.warning("EVENTS_FILE: no contract has preset %s: name it in PRESET", name)
    return chains


def _refuse_both(settings: Settings) -> None:
    """Refuse variables that say the same as the file of markets."""
    given = {
        "RPC_URL": bool(settings.rpc_url),
        "WS_RPC_URL": bool(settings.ws_rpc_url),
        "CONTRACT_ADDRESS": bool(settings.contract_address),
        "FACTORY_ADDRESS (or VAMM_FACTORY_ADDRESS)": bool(settings.factory_address),
        "START_BLOCK": settings.start_block is not None,
        "CONFIRMATION_BLOCKS (or EVENT_CONFIRMATION_BLOCKS)": (
            settings.confirmation_blocks is not None
        ),
    }
    names = [name for name, is_given in given.items() if is_given]
    if names:
        raise ConfigError(
            f"MARKETS_FILE must be given alone, was given with {', '.join(names)}: unset these "
            f"and say the same in {settings.markets_file}, or unset MARKETS_FILE"
        )


def _from_variables(settings: Settings, presets: Presets) -> tuple[ChainTerms, ...]:
    preset = presets.named(settings.preset, "PRESET")
    if settings.ws_rpc_url and not settings.rpc_url:
        raise ConfigError(
            "RPC_URL must be given with WS_RPC_URL, which only announces blocks: set it, or unset "
            "WS_RPC_URL"
        )
    if settings.factory_address:
        presets.check_factory(preset, "FACTORY_ADDRESS")
    contracts = (
        *(ContractTerms(address, preset) for address in settings.contract_address),
        *(ContractTerms(address, preset, factory=True) for address in settings.factory_address),
    )
    if settings.rpc_url and not contracts:
        raise ConfigError(
            "CONTRACT_ADDRESS or FACTORY_ADDRESS must be given with RPC_URL, neither was: set one, "
            "or unset RPC_URL to see the demo"
        )
    if not contracts:
        return ()
    try:
        check_together(contracts)
    except ConfigError as error:
        raise ConfigError(f"CONTRACT_ADDRESS and FACTORY_ADDRESS: {error}") from error
    chain = ChainTerms(
        settings.rpc_url,
        settings.ws_rpc_url,
        settings.start_block,
        settings.confirmation_blocks,
        contracts,
        host_of(settings.rpc_url[0]) if settings.rpc_url else "events",
    )
    return (chain,)
