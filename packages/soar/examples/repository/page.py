"""Makes a Markdown page of what other subgoals said: `page.py PATH`, their answers on stdin.

Standard input is a prompt as aurora-soar builds it: the description, which becomes the title, and
a fenced section for each dependency.

    --- begin NAME NONCE ---
    the answer, or: failed: the error
    --- end NAME NONCE ---
"""

import re
import sys
from pathlib import Path

SECTION = re.compile(
    r"^--- begin (?P<name>.+) (?P<nonce>\w+) ---\n(?P<said>.*?)\n--- end (?P=name) (?P=nonce) ---$",
    re.MULTILINE | re.DOTALL,
)
LONGEST = 40
"""Lines of a section that fit on a page; the last ones are kept."""


def page(prompt: str) -> str:
    """The page for a prompt."""
    sections = list(SECTION.finditer(prompt))
    title = prompt[: sections[0].start()] if sections else prompt
    parts = [f"# {title.strip()}"]
    for section in sections:
        lines = section["said"].strip().splitlines()
        if len(lines) > LONGEST:
            lines = [f"({len(lines) - LONGEST} lines before)", *lines[-LONGEST:]]
        # Four spaces make it literal, whatever it holds.
        parts.append("\n".join([f"## {section['name']}", "", *(f"    {line}" for line in lines)]))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the page, and print it."""
    text = page(sys.stdin.read())
    path = Path(sys.argv[1])
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
