"""What an agent is asked: its subgoal, and what it was told to build on; pure."""

from __future__ import annotations

from collections.abc import Sequence

from aurora_soar.results import AgentOutput

__all__ = ["build_prompt"]


def build_prompt(
    description: str,
    dependencies: Sequence[tuple[str, AgentOutput]],
    *,
    nonce: str,
    background: str = "",
) -> str:
    """The subgoal's description and as few words around it as possible.

    Args:
        description: What is to be done.
        dependencies: Name and output of each subgoal that this one depends on. They are fenced:

                --- begin NAME NONCE ---
                the answer, or: failed: the error
                --- end NAME NONCE ---
        nonce: A fresh word that no output can know, so that none can imitate the fence.
        background: What stands before everything; empty for nothing.
    """
    parts = [background, description]
    for name, output in dependencies:
        said = output.output if output.success else f"failed: {output.error}"
        parts.append(f"--- begin {name} {nonce} ---\n{said.rstrip()}\n--- end {name} {nonce} ---")
    return "\n\n".join(part for part in parts if part)
