"""Runs requests on a cluster: an extra, `aurora-spawner[dask]`.

    client                       scheduler               each worker
    DaskRunner ── a request ──▶  Register  ───────────▶  Host ─▶ execute ─▶ the agent
    Window        as text        who runs where          ends the tree on cancel, release, teardown
        ◀──────── events and result, as text ◀───────────┘

Dask decides where a task runs and runs it again when its worker is lost; what an agent is, and that
nothing of it stays behind, is known to the plugins that stand on both sides of it.
"""

from aurora_spawner.runners.dask.runner import DaskRunner

__all__ = ["DaskRunner"]
