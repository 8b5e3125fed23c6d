"""What a plan is: its tables and their keys.

Each key's meaning is documented here; what keys have to do with each other is in `checks`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from aurora_soar.agents import AgentInfo, AgentRegistry
from aurora_spawner import parse_duration

__all__ = ["NOT_YET", "Defaults", "Limits", "Plan", "PlanAgent", "PlanSubgoal"]


def _words(value: object) -> object:
    if isinstance(value, str):
        raise ValueError('must be a list of words, as in ["make", "test"]')
    return _items(value)


def _items(value: object) -> object:
    # Strictness would refuse a list where a tuple is kept.
    return tuple(value) if isinstance(value, list) else value


Name = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, BeforeValidator(parse_duration)]
Count = Annotated[int, Field(ge=0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Limits(_Table):
    """What the run as a whole may take.

    Attributes:
        max_concurrent: Agents at once.
        global_timeout: Seconds for everything; None: as long as the plan can need.
    """

    max_concurrent: Annotated[int, Field(ge=1)] = 5
    global_timeout: Seconds | None = None


class Defaults(_Table):
    """What holds for subgoals that do not say otherwise.

    Attributes:
        agent: Who gets them.
        timeout: Seconds for one attempt.
        retries: Further attempts after a failed one.
    """

    agent: Name | None = None
    timeout: Seconds = 300.0
    retries: Count = 2


class PlanAgent(_Table):
    """An agent: a persona on an agent CLI, or any program.

    Attributes:
        tool: The agent CLI that answers for it; None: the one of the command line, else the
            first on PATH.
        command: The program that it is, with its arguments; its prompt is on standard input.
        description: Who it is, in words.
        base: An agent whose keys hold where this one has none. `tool` and `command` are one
            choice: an agent with one of them takes neither from its base.
    """

    tool: Name | None = None
    command: Annotated[tuple[str, ...], BeforeValidator(_words), Field(min_length=1)] | None = None
    description: str | None = None
    base: Name | None = None

    def over(self, base: PlanAgent) -> PlanAgent:
        """This agent, with its base's keys where it has none."""
        chose = self.tool is not None or self.command is not None
        return PlanAgent(
            tool=self.tool if chose else base.tool,
            command=self.command if chose else base.command,
            description=base.description if self.description is None else self.description,
            base=base.base,
        )


class PlanSubgoal(_Table):
    """One thing to do.

    Attributes:
        id: Its name, once per plan.
        description: What is to be done; the agent's prompt. A program may do without.
        description_file: A file that holds the description; relative to the plan's folder.
        agent: Who gets it; else `defaults.agent`, else the agent called like the subgoal.
        depends_on: Ids of the subgoals whose answers it needs.
        on_dependency_failure: If one of them has no answer: `skip` this one too, `run` it all the
            same (its prompt says what failed), or `stop` everything that has not started.
        timeout: Seconds for one attempt; None: `defaults.timeout`.
        retries: Further attempts after a failed one; None: `defaults.retries`.
        is_critical: If it fails, nothing else starts.
    """

    id: Name
    description: str | None = None
    description_file: Name | None = None
    agent: Name | None = None
    depends_on: Annotated[tuple[Name, ...], BeforeValidator(_items)] = ()
    on_dependency_failure: Literal["skip", "run", "stop"] = "skip"
    timeout: Seconds | None = None
    retries: Count | None = None
    is_critical: bool = False


class Plan(_Table):
    """A plan whose every part is valid; see `load_plan`.

    Attributes:
        name: What the run is called; the file's name if it says none.
        limits: For the run as a whole.
        defaults: For subgoals that do not say otherwise.
        agents: The registered agents by id. Any other id that a subgoal names is an adhoc agent.
        subgoals: What is to be done, in the order of the file.
    """

    name: Name
    limits: Limits = Limits()
    defaults: Defaults = Defaults()
    agents: dict[str, PlanAgent] = {}
    subgoals: Annotated[tuple[PlanSubgoal, ...], BeforeValidator(_items)] = ()

    def agent_id(self, subgoal: PlanSubgoal) -> str:
        """Who gets a subgoal."""
        return subgoal.agent or self.defaults.agent or subgoal.id

    def timeout(self, subgoal: PlanSubgoal) -> float:
        """Seconds that one attempt of a subgoal may take."""
        return self.defaults.timeout if subgoal.timeout is None else subgoal.timeout

    def retries(self, subgoal: PlanSubgoal) -> int:
        """Attempts of a subgoal after a failed one."""
        return self.defaults.retries if subgoal.retries is None else subgoal.retries

    def adjusted(
        self, *, max_concurrent: int | None, timeout: float | None, retries: int | None
    ) -> Plan:
        """The plan with these in the place of its own, where they are not None.

        `timeout` and `retries` hold for every subgoal, whatever it says itself.
        """
        own = {"timeout": timeout, "retries": retries}
        changed = {key: value for key, value in own.items() if value is not None}
        limits = {} if max_concurrent is None else {"max_concurrent": max_concurrent}
        return self.model_copy(
            update={
                "limits": self.limits.model_copy(update=limits),
                "subgoals": tuple(each.model_copy(update=changed) for each in self.subgoals),
            }
        )

    def registry(self) -> AgentRegistry:
        """The registered agents, each with what it has from its bases."""
        return AgentRegistry(
            AgentInfo(name, agent.description or "", _config(agent))
            for name, agent in ((name, self._inherited(name)) for name in self.agents)
        )

    def _inherited(self, name: str) -> PlanAgent:
        agent = self.agents[name]
        while agent.base is not None:
            agent = agent.over(self.agents[agent.base])
        return agent


def _config(agent: PlanAgent) -> dict[str, object]:
    keys = {"tool": agent.tool, "command": agent.command}
    return {key: value for key, value in keys.items() if value is not None}


NOT_YET = {
    Limits: frozenset({"budget_usd"}),
    PlanAgent: frozenset({"env", "fallback", "model"}),
    PlanSubgoal: frozenset({"check"}),
}
"""Keys that a plan will know one day; until then they are refused by name."""
