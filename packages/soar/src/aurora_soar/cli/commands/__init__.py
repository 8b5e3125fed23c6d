"""The commands: one file each, from its flags to its exit code."""

from aurora_soar.cli.commands.agents import agents_command, show_agent_command
from aurora_soar.cli.commands.apply import apply_command
from aurora_soar.cli.commands.check import check_command
from aurora_soar.cli.commands.circuits import circuits_command, isolate_command, reset_command
from aurora_soar.cli.commands.config import config_command, schema_command
from aurora_soar.cli.commands.init import init_command
from aurora_soar.cli.commands.resume import resume_command
from aurora_soar.cli.commands.run import run_command
from aurora_soar.cli.commands.show import show_command
from aurora_soar.cli.commands.trust import trust_command

__all__ = [
    "agents_command",
    "apply_command",
    "check_command",
    "circuits_command",
    "config_command",
    "init_command",
    "isolate_command",
    "reset_command",
    "resume_command",
    "run_command",
    "schema_command",
    "show_agent_command",
    "show_command",
    "trust_command",
]
