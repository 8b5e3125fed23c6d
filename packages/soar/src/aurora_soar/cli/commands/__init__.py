"""The commands: one file each, from its flags to its exit code."""

from aurora_soar.cli.commands.check import check_command
from aurora_soar.cli.commands.resume import resume_command
from aurora_soar.cli.commands.run import run_command

__all__ = ["check_command", "resume_command", "run_command"]
