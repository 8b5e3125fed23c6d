"""What a plan is: its tables and their keys.

Each key's meaning is documented here; what keys have to do with each other is in `checks`.
Nothing in a plan widens what an agent may do: that is for the command line alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from aurora_soar.agents import AgentInfo, AgentRegistry
from aurora_soar.plan.values import AtLeastOne, Command, Count, Name, Seconds, items, words

__all__ = ["Defaults", "Isolation", "Limits", "Plan", "PlanAgent", "PlanSubgoal"]


Isolation: TypeAlias = Literal["worktree", "none"]
"""Where an agent that may write works: in a git worktree of its own, or where we stand."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


_SomeTable = TypeVar("_SomeTable", bound=_Table)


class Limits(_Table):
    """What the run as a whole may take.

    Attributes:
        max_concurrent: Agents at once.
        global_timeout: Seconds for everything; None: as long as the plan can need.
        budget_usd: What the agents may cost, as far as they tell; None: anything. When it is
            reached nothing new starts, and what is finished stays.
        budget_tokens: The same in tokens, read and written together.
        per_tool: Agents at once through one agent CLI, by its name.
    """

    max_concurrent: AtLeastOne = 5
    global_timeout: Seconds | None = None
    budget_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    budget_tokens: AtLeastOne | None = None
    per_tool: dict[Name, AtLeastOne] = {}


class Defaults(_Table):
    """What holds for subgoals that do not say otherwise.

    Attributes:
        agent: Who gets them.
        timeout: Seconds for one attempt.
        retries: Further attempts after a failed one.
        isolation: Where agents that may write work; None: in worktrees if two can overlap.
    """

    agent: Name | None = None
    timeout: Seconds = 300.0
    retries: Count = 2
    isolation: Isolation | None = None


class PlanAgent(_Table):
    """An agent: a persona on an agent CLI, or any program.

    Attributes:
        tool: The agent CLI that answers for it; None: the one of the command line, else the
            first on PATH.
        command: The program that it is, with its arguments; its prompt is on standard input.
        model: The model that the tool is to use; None: the one of the command line, else the
            tool's own choice.
        description: Who it is, in words.
        base: An agent whose keys hold where this one has none. `tool` and `command` are one
            choice: an agent with one of them takes neither from its base, and no model.
        fallback: The agent that is asked when this one has failed, before the plain LLM is.
        env: `inherit`: it gets our environment. `minimal`: only what programs commonly need
            (see `aurora_soar.environment`) and what `pass_env` names.
        pass_env: Variables that a minimal environment has too.
        permissions: What it may do at most; the command line decides, and this only narrows it.
        max_concurrent: Of this agent at once; None: as many as there may be at all.
        isolation: As in `defaults`, for this agent.
    """

    tool: Name | None = None
    command: Command | None = None
    model: Name | None = None
    description: str | None = None
    base: Name | None = None
    fallback: Name | None = None
    env: Literal["inherit", "minimal"] | None = None
    pass_env: Annotated[tuple[Name, ...], BeforeValidator(words)] | None = None
    permissions: Literal["read-only", "workspace-write", "full-access"] | None = None
    max_concurrent: AtLeastOne | None = None
    isolation: Isolation | None = None

    def over(self, base: PlanAgent) -> PlanAgent:
        """This agent, with its base's keys where it has none."""
        own = self.model_dump(exclude_none=True)
        theirs = base.model_dump(exclude_none=True)
        if self.tool is not None or self.command is not None:
            for key in ("tool", "command", "model"):
                theirs.pop(key, None)
        return PlanAgent(**{**theirs, **own, "base": base.base})

    def config(self) -> dict[str, Any]:
        """Its settings as collect reads them: every key that is set and says what to run."""
        return self.model_dump(exclude_none=True, exclude={"base", "description"})


class PlanSubgoal(_Table):
    """One thing to do.

    Attributes:
        id: Its name, once per plan.
        description: What is to be done; the agent's prompt. A program may do without.
        description_file: A file that holds the description; relative to the plan's folder.
        agent: Who gets it; else `defaults.agent`, else the agent called like the subgoal, else one
            whose description fits (see `aurora_soar.matching`), else an adhoc one of that name.
        depends_on: Ids of the subgoals whose answers it needs.
        on_dependency_failure: If one of them has no answer: `skip` this one too, `run` it all the
            same (its prompt says what failed), or `stop` everything that has not started.
        timeout: Seconds for one attempt; None: `defaults.timeout`.
        retries: Further attempts after a failed one; None: `defaults.retries`.
        is_critical: If it fails, nothing else starts.
        check: A program that has to succeed for an answer to count, with its arguments; it runs
            where the agent worked.
    """

    id: Name
    description: str | None = None
    description_file: Name | None = None
    agent: Name | None = None
    depends_on: Annotated[tuple[Name, ...], BeforeValidator(items)] = ()
    on_dependency_failure: Literal["skip", "run", "stop"] = "skip"
    timeout: Seconds | None = None
    retries: Count | None = None
    is_critical: bool = False
    check: Command | None = None


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
    subgoals: Annotated[tuple[PlanSubgoal, ...], BeforeValidator(items)] = ()

    # No key: nobody writes it.
    _borrowed: frozenset[str] = PrivateAttr(frozenset())

    @property
    def borrowed(self) -> frozenset[str]:
        """The agents that the file names and does not write, see `load_plan`."""
        return self._borrowed

    def borrowing(self, names: Collection[str]) -> Plan:
        """The same plan, in which these agents are borrowed."""
        plan = self.model_copy()
        plan._borrowed = frozenset(names)
        return plan

    def agent_id(self, subgoal: PlanSubgoal) -> str:
        """Who gets a subgoal by what the plan names."""
        return subgoal.agent or self.defaults.agent or subgoal.id

    def names_agent(self, subgoal: PlanSubgoal) -> bool:
        """Whether the plan says who gets a subgoal, by name."""
        return (subgoal.agent or self.defaults.agent) is not None

    def given(self, agents: Mapping[str, str]) -> Plan:
        """The plan in which these subgoals, by their ids, name these agents."""
        subgoals = (
            each.model_copy(update={"agent": agents[each.id]}) if each.id in agents else each
            for each in self.subgoals
        )
        return self.model_copy(update={"subgoals": tuple(subgoals)})

    def timeout(self, subgoal: PlanSubgoal) -> float:
        """Seconds that one attempt of a subgoal may take."""
        return self.defaults.timeout if subgoal.timeout is None else subgoal.timeout

    def retries(self, subgoal: PlanSubgoal) -> int:
        """Attempts of a subgoal after a failed one."""
        return self.defaults.retries if subgoal.retries is None else subgoal.retries

    def adjusted(
        self,
        *,
        max_concurrent: int | None = None,
        timeout: float | None = None,
        retries: int | None = None,
        budget_usd: float | None = None,
        isolation: Isolation | None = None,
        fail_fast: bool = False,
    ) -> Plan:
        """The plan with these in the place of its own, where they are not None.

        `timeout` and `retries` hold for every subgoal, whatever it says itself, and `isolation`
        for every agent; with `fail_fast` each subgoal is critical. A budget in dollars replaces
        one in tokens.
        """
        own = {"timeout": timeout, "retries": retries, "is_critical": fail_fast or None}
        limits: dict[str, Any] = {"max_concurrent": max_concurrent, "budget_usd": budget_usd}
        changed = {key: value for key, value in own.items() if value is not None}
        limits = {key: value for key, value in limits.items() if value is not None}
        if budget_usd is not None:
            limits["budget_tokens"] = None
        isolated = {} if isolation is None else {"isolation": isolation}
        return self.model_copy(
            update={
                "limits": self.limits.model_copy(update=limits),
                "defaults": self.defaults.model_copy(update=isolated),
                "agents": {
                    name: agent.model_copy(update=isolated) for name, agent in self.agents.items()
                },
                "subgoals": tuple(each.model_copy(update=changed) for each in self.subgoals),
            }
        )

    def filled(
        self,
        *,
        max_concurrent: int | None = None,
        timeout: float | None = None,
        retries: int | None = None,
        budget_usd: float | None = None,
        isolation: Isolation | None = None,
    ) -> Plan:
        """The plan with these where it says nothing itself, where they are not None."""
        limits: dict[str, Any] = {"max_concurrent": max_concurrent}
        if self.limits.budget_tokens is None:
            limits["budget_usd"] = budget_usd
        defaults = {"timeout": timeout, "retries": retries, "isolation": isolation}
        return self.model_copy(
            update={
                "limits": _filled(self.limits, limits),
                "defaults": _filled(self.defaults, defaults),
            }
        )

    def mappings(self, held_back: Mapping[str, str] = MappingProxyType({})) -> list[dict[str, Any]]:
        """The subgoals as `execute_agents` takes them; some held back, each for its reason."""
        return [
            {
                "id": subgoal.id,
                "description": subgoal.description or "",
                "depends_on": subgoal.depends_on,
                "on_dependency_failure": subgoal.on_dependency_failure,
                "is_critical": subgoal.is_critical,
                "timeout": self.timeout(subgoal),
                "retries": self.retries(subgoal),
                "check": subgoal.check,
                "held_back": held_back.get(subgoal.id),
            }
            for subgoal in self.subgoals
        ]

    def registry(self) -> AgentRegistry:
        """The registered agents, each with what it has from its bases."""
        return AgentRegistry(
            AgentInfo(name, agent.description or "", agent.config())
            for name, agent in ((name, self._inherited(name)) for name in self.agents)
        )

    def _inherited(self, name: str) -> PlanAgent:
        agent = self.agents[name]
        while agent.base is not None:
            agent = agent.over(self.agents[agent.base])
        return agent


def _filled(table: _SomeTable, values: dict[str, Any]) -> _SomeTable:
    """The table with these values for the keys that it does not have itself."""
    new = {
        key: value
        for key, value in values.items()
        if value is not None and key not in table.model_fields_set
    }
    return table.model_copy(update=new)
