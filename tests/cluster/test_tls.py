"""A cluster as the README tells to set it up: with TLS, by variables."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import dask
import pytest

from aurora_spawner import SpawnTask, spawn
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


def test_a_cluster_with_tls(tmp_path: Path, certified: dict[str, str]) -> None:
    """With the README's variables agents run over TLS; who has no certificate is kept out."""
    machines = Machines(tmp_path, more=("--protocol", "tls"), environment=certified)
    open_address = machines.address.replace("tls://", "tcp://")

    async def main() -> str:
        async with DaskRunner(machines.address) as runner:
            result = await spawn(SpawnTask("secret", command=("cat",)), runner=runner)
            return result.output

    async def uncertified() -> None:
        async with DaskRunner(open_address, connect_timeout=1):
            pass

    try:
        assert machines.address.startswith("tls://")
        machines.have("first")
        with pytest.raises(ClusterError, match="cannot be reached"):
            asyncio.run(uncertified())
        with dask.config.set(dask.config.collect_env(certified)):
            assert asyncio.run(main()) == "secret"
    finally:
        machines.close()
