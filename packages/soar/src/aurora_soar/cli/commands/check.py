"""`aurora-soar check`: what would run, in which order and why, through what; nothing is started."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from typing import Annotated, NoReturn

import typer

from aurora_soar.cli.columns import columns
from aurora_soar.cli.configured import configured_or_exit
from aurora_soar.cli.isolating import worktrees_told
from aurora_soar.cli.options import (
    Fallback,
    IsolatedBy,
    Jobs,
    MayDo,
    PlanFile,
    Retries,
    Timeout,
    ToolName,
)
from aurora_soar.cli.plans import Prepared, prepare_or_exit, tell_missing
from aurora_soar.cli.preflight import Answerer
from aurora_soar.cli.streams import outputs
from aurora_soar.phases import Choice
from aurora_soar.plan import (
    GraphForm,
    Plan,
    PlanSubgoal,
    did_you_mean,
    draw,
    longest_duration,
    rounds,
)
from aurora_soar.runs import RunRequest
from aurora_spawner import ExitCode, format_duration, safe_line

__all__ = ["app", "describe_and_exit"]

app = typer.Typer(rich_markup_mode=None, add_completion=False)

# Words that an agent and a subgoal share that are shown; the first ones weigh most.
_WORDS = 4


@app.command("check")
@outputs()
def check_command(
    plan: PlanFile = "",
    jobs: Jobs = None,
    fallback: Fallback = None,
    retries: Retries = None,
    timeout: Timeout = None,
    tool: ToolName = None,
    permissions: MayDo = None,
    isolation: IsolatedBy = None,
    graph: Annotated[
        GraphForm | None,
        typer.Option("--graph", help="Draw what waits for what, and nothing else."),
    ] = None,
) -> None:
    """Show what a plan would run, in which order and why; start nothing."""
    found = configured_or_exit(
        jobs=jobs,
        fallback=fallback,
        retries=retries,
        timeout=timeout,
        tool=tool,
        permissions=permissions,
        isolation=isolation,
    )
    request = RunRequest(
        plan,
        jobs=found.decided("jobs"),
        retries=found.decided("retries"),
        timeout=found.decided("timeout"),
        tool=tool,
        no_fallback=not found.settings.fallback,
        permissions=found.settings.permissions,
        isolation=found.decided("isolation"),
    )
    prepared = prepare_or_exit(request, found)
    if graph is not None:
        for line in draw(prepared.plan, graph):
            print(line)
        sys.stdout.flush()
        return
    describe_and_exit(prepared, request)


def describe_and_exit(prepared: Prepared, request: RunRequest) -> NoReturn:
    """Print what would run, complain of what is missing, and end."""
    for line in _describe(prepared, request):
        print(line)
    sys.stdout.flush()
    raise typer.Exit(ExitCode.NO_TOOL if tell_missing(prepared) else ExitCode.OK)


def _describe(prepared: Prepared, request: RunRequest) -> Iterator[str]:
    """What would run, in lines."""
    plan, fallback_to_llm = prepared.plan, not request.no_fallback
    yield (
        f"{safe_line(plan.name)}: {_count(len(plan.subgoals), 'subgoal')}, "
        f"at most {plan.limits.max_concurrent} at once, {_limit(plan, fallback_to_llm)}"
    )
    for number, subgoals in enumerate(rounds(plan), 1):
        yield ""
        yield f"Round {number}"
        yield from columns([_subgoal(plan, subgoal) for subgoal in subgoals], indent=2)
    agents = {each.agent.id: each for each in prepared.answerers}
    if agents:
        yield ""
        yield "Agents"
        yield from columns([_agent(each, prepared) for each in agents.values()], indent=2)
    compared = {name: each for name, each in prepared.choices.items() if each.matches}
    if compared:
        yield ""
        yield "Matching"
        rows = [_choice(name, each) for name, each in compared.items()]
        yield from columns(rows, indent=2)
    if worktrees := worktrees_told(prepared, request):
        yield ""
        yield "Worktrees"
        yield from columns(worktrees, indent=2)


def _limit(plan: Plan, fallback_to_llm: bool) -> str:
    if plan.limits.global_timeout is not None:
        return f"time limit {format_duration(plan.limits.global_timeout)}"
    longest = format_duration(longest_duration(plan, fallback_to_llm=fallback_to_llm))
    return f"time limit {longest} (no run of it can need more)"


def _subgoal(plan: Plan, subgoal: PlanSubgoal) -> tuple[str, ...]:
    start = "at once"
    if subgoal.depends_on:
        start = f"after {', '.join(map(safe_line, subgoal.depends_on))}"
        if subgoal.on_dependency_failure == "run":
            start += ", failed or not"
        elif subgoal.on_dependency_failure == "stop":
            start += "; if one fails, nothing else starts"
    attempts = _count(1 + plan.retries(subgoal), "attempt")
    limits = f"{attempts} of {format_duration(plan.timeout(subgoal))}"
    critical = "; critical" if subgoal.is_critical else ""
    agent = safe_line(plan.agent_id(subgoal))
    return safe_line(subgoal.id), f"by {agent}", start, f"{limits}{critical}"


def _agent(answerer: Answerer, prepared: Prepared) -> tuple[str, ...]:
    agent = answerer.agent
    known = [*prepared.plan.agents, *prepared.here.agents]
    file = prepared.borrowed_from(agent.id)
    if answerer.kind == "program":
        runs = safe_line(shlex.join(agent.config["command"]))
        if answerer.path is None:
            runs += " (not found now)"
    elif answerer.tool is None:
        runs = "no agent CLI"
    else:
        runs = f"{answerer.tool} ({answerer.path or 'not on PATH'})"
    hint = did_you_mean(agent.id, known) if answerer.kind == "adhoc" else ""
    return (
        safe_line(agent.id),
        answerer.kind,
        f"{runs}{hint and f' -{hint}'}{file and f', of {safe_line(file)}'}",
    )


def _choice(name: str, choice: Choice) -> tuple[str, ...]:
    best, *others = choice.matches
    if not best.words:
        return safe_line(name), "adhoc", "no agent has a word of it"
    words = ", ".join(map(safe_line, best.words[:_WORDS]))
    score = f"{best.score:.2f}, from {best.needed:.2f} on it fits"
    if best.fits:
        rest = f"; next {safe_line(others[0].agent.id)} {others[0].score:.2f}" if others else ""
        return safe_line(name), f"to {safe_line(best.agent.id)}", f"{words}: {score}{rest}"
    one_word = "; one word is not enough" if best.score >= best.needed else ""
    nearest = f"nearest {safe_line(best.agent.id)}: {words}: {score}{one_word}"
    return safe_line(name), "adhoc", nearest


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
