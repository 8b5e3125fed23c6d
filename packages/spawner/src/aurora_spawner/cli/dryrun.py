"""`--dry-run`: the calls that would be made, as a shell would read them; pure."""

from __future__ import annotations

import shlex

from aurora_spawner.cli.jobs import Job
from aurora_spawner.models import SpawnRequest
from aurora_spawner.policy import named_policy
from aurora_spawner.terminal import safe_line
from aurora_spawner.tools import get_tool

__all__ = ["call_line"]

# What is shown of standard input, characters.
_LONGEST = 2000


def call_line(job: Job) -> str:
    """One line: the program, its arguments, and what it reads."""
    task = job.task
    if task is None:
        return f"# {job.place}: {safe_line('; '.join(job.problems))}"
    request = SpawnRequest(
        prompt=task.prompt,
        tool="command" if task.command else task.tool or "claude",
        agent=task.agent,
        model=task.model,
        command=task.command,
        cwd=task.cwd,
        env=task.env,
        timeout=task.timeout,
        policy=named_policy(task.policy),
        session_id=task.session_id,
        permissions=task.permissions,
    )
    call = get_tool(request.tool).invocation(request)
    words = [f"{name}={shlex.quote(value)}" for name, value in {**call.env, **task.env}.items()]
    words += map(shlex.quote, call.argv)
    if task.cwd is not None:
        words = ["cd", shlex.quote(task.cwd), "&&", *words]
    if call.stdin:
        read = call.stdin.decode()
        words += ["<<<", shlex.quote(read if len(read) <= _LONGEST else f"{read[:_LONGEST]}...")]
    return safe_line(" ".join(words))
