"""At the client: hands requests to a cluster, and waits for what becomes of them."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from distributed import Client, Future, KilledWorker, LocalCluster, Security
from distributed.client import FutureCancelledError

from aurora_spawner.errors import ClusterError, SpawnError
from aurora_spawner.events import OnEvent
from aurora_spawner.failures import FailureType
from aurora_spawner.models import SpawnRequest, SpawnResult
from aurora_spawner.runners.dask.addresses import checked_address, is_encrypted
from aurora_spawner.runners.dask.host import Host, run_here
from aurora_spawner.runners.dask.laptop import local_cluster
from aurora_spawner.runners.dask.register import SLOT, SLOTS_TOPIC, TOPICS, Register
from aurora_spawner.runners.dask.window import Window
from aurora_spawner.runners.dask.wire import events_from, read_result, write_request

__all__ = ["DaskRunner"]

_log = logging.getLogger("aurora_spawner")
_T = TypeVar("_T")

# Seconds beyond an agent's own grace in which the cluster has to confirm that it is gone.
_CONFIRMED_WITHIN = 15.0


class DaskRunner:
    """Runs each request on a worker of a Dask cluster; an asynchronous context manager.

        async with DaskRunner("tls://login-node:8786") as runner:
            results = await spawn_parallel(tasks, max_concurrent=500, runner=runner)

    It belongs to the event loop in which it is entered. Scheduler and workers need this package in
    the same version, with its extra `dask`, and the workers need the tools that the tasks name.

    Args:
        address: The scheduler's; None: a cluster of this machine alone, for as long as this runs.
        reruns: How often a request is run again, at most, whose worker was lost meanwhile.
        security: Certificates for `tls://`, as `distributed` has them; None: those of Dask's own
            configuration.
        trust_network: Talk without encryption over a network that nobody else is on.
        workers: How many workers the cluster of this machine has.
        slots: Agents at once on each of those; None: as many as there are processors. Other
            clusters' workers say it themselves (`--resources AURORA_AGENT=16`), or have as many as
            threads.
        folder: Where requests run that name no folder; None: in our current one, which has to be
            there on every worker.
        connect_timeout: Seconds to find the scheduler.

    Raises:
        InvalidTaskError: The address is not one that may be talked to, or a number is too small.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        reruns: int = 2,
        security: Security | None = None,
        trust_network: bool = False,
        workers: int = 1,
        slots: int | None = None,
        folder: str | None = None,
        connect_timeout: float = 10.0,
    ) -> None:
        self._address = None
        if address is not None:
            self._address = checked_address(address, trust_network=trust_network)
        for name, number, least in (("reruns", reruns, 0), ("workers", workers, 1)):
            if number < least:
                raise ValueError(f"{name} must be at least {least}, not {number!r}")
        if slots is not None and slots < 1:
            raise ValueError(f"slots must be at least 1, not {slots!r}")
        self._limit = reruns + 1
        self._security = security
        self._workers = workers
        self._slots_each = slots
        self._folder = folder
        self._connect_timeout = connect_timeout
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None
        self._window = Window()
        self._lost = False
        self._listeners: dict[str, OnEvent] = {}
        self._topic = f"{TOPICS}events-{uuid.uuid4().hex}"

    async def __aenter__(self) -> DaskRunner:
        """Connect, and put our plugins beside scheduler and workers.

        Raises:
            ClusterError: There is no scheduler, or no aurora-spawner beside it.
        """
        try:
            await self._open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave the cluster; what still runs for us ends, and a cluster of our own closes."""
        client, self._client = self._client, None
        cluster, self._cluster = self._cluster, None
        if client is not None:
            await client.close()
        if cluster is not None and (closing := cluster.close()) is not None:
            await closing

    @property
    def slots(self) -> int:
        """Agents that the cluster can run at once, as it is now."""
        return self._window.slots

    async def run(self, request: SpawnRequest, on_event: OnEvent | None) -> SpawnResult:
        """See `Runner.run`.

        Raises:
            SpawnError: The runner was not entered, or the request cannot be run as it stands.
        """
        client = self._client
        if client is None:
            raise SpawnError("the runner is not connected; use it in: async with DaskRunner() ...")
        text = write_request(self._placed(request))
        await self._window.enter()
        if self._lost or client.status != "running":
            # A client that finds its scheduler again does not hear it, and a new scheduler does
            # not know us.
            self._window.leave()
            return self._without_scheduler()
        key = f"aurora-{uuid.uuid4().hex}"
        try:
            if on_event is not None:
                self._listeners[key] = on_event
            future = client.submit(
                run_here,
                key,
                text,
                self._limit,
                None if on_event is None else self._topic,
                key=key,
                resources={SLOT: 1},
                pure=False,
            )
            answer = asyncio.create_task(_answer(future))
            try:
                await asyncio.wait([answer])
            except asyncio.CancelledError:
                answer.cancel()
                await _to_its_end(self._end(client, future, request.policy.grace))
                raise
            return self._result(answer)
        finally:
            self._listeners.pop(key, None)
            self._window.leave()

    # Inside

    async def _open(self) -> None:
        address: Any = self._address
        security = self._security or Security()
        if address is None:
            self._cluster = address = await local_cluster(self._workers, self._slots_each)
        elif (
            is_encrypted(address) and security.get_connection_args("client")["ssl_context"] is None
        ):
            raise ClusterError(
                self._name,
                "wants TLS, and no certificates are named",
                "set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..._TLS__CLIENT__CERT and "
                "..._TLS__CLIENT__KEY, or pass security=Security(...)",
            )
        try:
            self._client = await Client(
                address,
                security=security,
                timeout=self._connect_timeout,
                asynchronous=True,
                set_as_default=False,
            )
        except OSError as error:
            raise ClusterError(
                self._name,
                f"cannot be reached: {error}",
                "is it started, with TLS exactly if its address begins with tls://?",
            ) from error
        client = self._client
        client.subscribe_topic(self._topic, self._heard)
        client.subscribe_topic(SLOTS_TOPIC, self._resized)
        try:
            await client.register_plugin(Register())
            await client.register_plugin(Host())
        except Exception as error:
            raise ClusterError(
                self._name,
                f"cannot take our plugins: {error!r}",
                "install the same aurora-spawner[dask] beside the scheduler and every worker",
            ) from error
        self._window.resize(await _ask(client).aurora_slots())
        if not self._window.slots:
            _log.warning("%s has no worker yet; waiting for one", self._name)

    @property
    def _name(self) -> str:
        return f"the scheduler at {self._address}" if self._address else "the cluster"

    def _placed(self, request: SpawnRequest) -> SpawnRequest:
        """With paths that mean the same to whoever stands elsewhere."""
        here = self._folder or os.getcwd()
        log_dir = request.log_dir
        return replace(
            request,
            cwd=os.path.join(here, request.cwd) if request.cwd else here,
            log_dir=None if log_dir is None else os.path.abspath(log_dir),
        )

    def _resized(self, event: tuple[float, int]) -> None:
        """Workers came or went."""
        _, slots = event
        if self._window.slots and not slots:
            _log.warning("%s has lost all its workers; waiting for one", self._name)
        self._window.resize(slots)

    def _heard(self, event: tuple[float, Any]) -> None:
        """Events of a request came."""
        key, pairs = event[1]
        on_event = self._listeners.get(key)
        if on_event is not None:
            for happened in events_from(pairs):
                on_event(happened)

    def _result(self, answer: asyncio.Task[str]) -> SpawnResult:
        """What became of a request whose task has ended."""
        error = answer.exception()
        if isinstance(error, FutureCancelledError):
            # Not by us, so that nobody is left to do it.
            self._lost = True
            return self._without_scheduler()
        if isinstance(error, KilledWorker):
            return SpawnResult.failed(
                f"its worker was lost again and again: {error}", FailureType.CONNECTION
            )
        if error is not None:
            raise error
        return read_result(answer.result())

    def _without_scheduler(self) -> SpawnResult:
        """The result of a request that nobody is there to run any more."""
        return SpawnResult.failed(
            f"{self._name} was lost; what is left needs a new runner", FailureType.CONNECTION
        )

    async def _end(self, client: Client, future: Future[Any], grace: float) -> None:
        """Have the agent ended, and wait until it is gone."""
        try:
            await client.cancel([future], force=True, reason="cancelled")
            gone = _ask(client).aurora_gone(key=future.key)
            await asyncio.wait_for(gone, grace + _CONFIRMED_WITHIN)
        except Exception as error:
            # Whatever it is, the cancellation goes on.
            _log.warning(
                "%s does not confirm that a cancelled agent is gone: %r; a worker ends its agents "
                "when it loses its scheduler",
                self._name,
                error,
            )


def _ask(client: Client) -> Any:
    """Whom to ask what `Register` answers.

    Raises:
        OSError: The client has lost its scheduler.
    """
    if client.scheduler is None:
        raise ConnectionError("the client has no scheduler any more")
    return client.scheduler


async def _answer(future: Future[Any]) -> str:
    """The text that a task gave."""
    text = await future
    assert isinstance(text, str)
    return text


async def _to_its_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Do this, however often we are cancelled meanwhile; whoever calls is being cancelled."""
    task = asyncio.create_task(work)
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue
    return task.result()
