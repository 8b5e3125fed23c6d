"""A cluster as the README tells to set it up: with TLS, by variables."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aurora_spawner.errors import ClusterError
from aurora_spawner.runners.dask import DaskRunner

from .machines import Machines


@pytest.fixture
def certified(tmp_path: Path) -> dict[str, str]:
    """The variables of the README, for a certificate that signs itself."""
    openssl = shutil.which("openssl")
    assert openssl, "openssl is not on PATH (Debian and Ubuntu: apt install openssl)"
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    names = ("-subj", "/CN=cluster", "-days", "2", "-keyout", key, "-out", cert)
    subprocess.run((openssl, "req", *kind, *names), check=True, stderr=subprocess.DEVNULL)
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    roles = ("SCHEDULER", "WORKER", "CLIENT")
    return {
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true",
        f"{tls}CA_FILE": cert,
        **{f"{tls}{role}__CERT": cert for role in roles},
        **{f"{tls}{role}__KEY": key for role in roles},
    }


CLIENT = """
import asyncio, sys
from aurora_spawner import SpawnTask, spawn
from aurora_spawner.runners.dask import DaskRunner

async def main():
    async with DaskRunner(sys.argv[1]) as runner:
        print((await spawn(SpawnTask("secret", command=("cat",)), runner=runner)).output)

asyncio.run(main())
"""


def test_a_cluster_with_tls(tmp_path: Path, certified: dict[str, str]) -> None:
    """With the README's variables agents run over TLS; who has no certificate is kept out."""

    async def uncertified(address: str) -> None:
        async with DaskRunner(address, connect_timeout=1):
            pass

    machines = Machines(tmp_path, more=("--protocol", "tls"), environment=certified)
    try:
        assert machines.address.startswith("tls://")
        machines.have("first")
        with pytest.raises(ClusterError, match="cannot be reached"):
            asyncio.run(uncertified(machines.address.replace("tls://", "tcp://")))
        client = subprocess.run(
            (sys.executable, "-c", CLIENT, machines.address),
            env={**os.environ, **certified},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert client.stdout == "secret\n"
    finally:
        machines.close()
