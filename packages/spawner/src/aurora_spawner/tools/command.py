"""`command`: any program as an agent. Its prompt is on standard input; its exit code decides."""

from __future__ import annotations

from aurora_spawner.errors import InvalidTaskError
from aurora_spawner.models import SpawnRequest
from aurora_spawner.tools.adapter import Invocation, Reader, TextReader

__all__ = ["CommandTool"]


class CommandTool:
    """Runs the program that the task names in `command`."""

    name = "command"
    executable = ""
    install = "name a program in `command`"
    tested = ()
    structured = False
    streams = False
    answers = False
    terminal = ()

    def invocation(self, request: SpawnRequest) -> Invocation:
        """The task's own command, as it is."""
        if not request.command:
            raise InvalidTaskError("command", "the tool `command` needs one")
        if request.session_id:
            raise InvalidTaskError("session_id", "a program has no sessions to go on with")
        return Invocation(request.command, request.prompt.encode())

    def reader(self) -> Reader:
        """Standard output is the answer."""
        return TextReader()
