"""The libraries behind an endpoint change nothing for the rest of the process."""

import subprocess
import sys

SCRIPT = """
import asyncio, sys
import msgspec
from appliance.metrics import Metrics
from appliance.rpc.endpoint import Endpoint

async def main():
    endpoint = Endpoint("http://127.0.0.1:9", "node", Metrics())
    await endpoint.open()
    await endpoint.close()
    assert "web3" in sys.modules
    try:
        msgspec.json.decode(b"[" * 50_000)
    except RecursionError:
        print("refused")

asyncio.run(main())
"""


def test_deeply_nested_json_does_not_end_a_process_that_follows_a_chain() -> None:
    """web3 brings a library that lets Python recurse until the stack overflows."""
    command = [sys.executable, "-c", SCRIPT]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (0, "refused\n") == (run.returncode, run.stdout), run.stderr
