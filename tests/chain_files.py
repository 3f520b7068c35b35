"""Presets' files made by hand, whole ones and pieces."""

from eth_hash.auto import keccak

SWAP = """
name = "x"
price_rule = "execution"
[[event]]
signature = "Swap(address indexed who, int256 amount0, int256 amount1, bool long, bytes32 tag)"
topic0 = "{topic0}"
kind = "trade"
execution = "volumes"
base = {{ argument = "amount0", scale = "token0" }}
quote = {{ argument = "amount1", scale = "token1" }}
side = {{ sign = "-amount0" }}
""".format(topic0="0x" + keccak(b"Swap(address,int256,int256,bool,bytes32)").hex())


def event(declared: str, *keys: str) -> str:
    """Return an [[event]] of five or more lines: signature, topic0, and the keys."""
    parts = declared.replace("(", ",").replace(")", "").split(",")
    types = [part.split()[0] for part in parts[1:] if part]
    topic = "0x" + keccak(f"{parts[0]}({','.join(types)})".encode()).hex()
    lines = ["[[event]]", f'signature = "{declared}"', f'topic0 = "{topic}"', *keys]
    return "\n".join(lines) + "\n"


START = 'name = "x"\nprice_rule = "after"\n'
TRADE = 'kind = "trade"\nbase = { argument = "p", scale = 1 }'


PRICE = 'after = { argument = "p", scale = 18 }'
RATIO = 'after = { quote = { argument = "p", scale = 1 }, base = { argument = "q", scale = 1 } }'
INCREASE = event(
    "Increased(uint256 q)", 'kind = "increase"', 'quote = { argument = "q", scale = 1 }'
)
