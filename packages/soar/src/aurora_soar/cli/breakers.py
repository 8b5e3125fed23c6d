"""The breaker of a run: what earlier runs of this project learned of its agents holds here too."""

from __future__ import annotations

from pathlib import Path

from aurora_circuit_breaker import CircuitBreaker
from aurora_soar.circuits import Circuits, LocalCircuits, SharedCircuits, definition_of
from aurora_soar.cli.plans import Prepared
from aurora_soar.cli.streams import refuse
from aurora_soar.folders import state_folder
from aurora_soar.isolation import repository_root
from aurora_soar.runs import RunRequest

__all__ = ["breaker_of", "circuits_of", "project_here"]


def project_here() -> Path:
    """The project that we stand in: the top of the repository, else the folder."""
    here = Path.cwd()
    return repository_root(here) or here.resolve()


def breaker_of(
    prepared: Prepared, request: RunRequest, server: str | None, *, anew: bool = False
) -> CircuitBreaker:
    """The breaker for the agents of a run; ends here if `server` cannot be used at all.

    What is learned of a program is forgotten with the run: it fails by what it is run on, which
    people mend before they run it again, and to ask it costs next to nothing.

    Args:
        prepared: The plan, and who answers for it.
        request: What was asked for.
        server: A Redis server with the circuits that several machines share; None: ours alone.
        anew: The user wants another try: open circuits are forgotten, isolation is not.
    """
    if not request.shared_circuits:
        return CircuitBreaker()
    agents = {agent.id: agent for agent in [*prepared.agents, *prepared.registry]}
    definitions = {
        name: definition_of(agent, tool=prepared.chosen_tool, model=request.model)
        for name, agent in agents.items()
        if not agent.config.get("command")
    }
    circuits = circuits_of(server)
    breaker = circuits.breaker(circuits.project(project_here()), definitions)
    if anew:
        for name in definitions:
            if breaker.get_health_status(name)["state"] == "open":
                breaker.reset(name)
    return breaker


def circuits_of(server: str | None) -> Circuits:
    """The circuits that this machine's runs know of; ends here if `server` cannot be used at all.

    Args:
        server: A Redis server with those that several machines share; None: ours alone.
    """
    if server is None:
        return LocalCircuits(state_folder())
    try:
        return SharedCircuits(server)
    except ImportError:
        refuse("circuits on a Redis server need: pip install 'aurora-soar[redis]'")
    except ValueError as error:
        refuse(f"circuit_store: {error}")
