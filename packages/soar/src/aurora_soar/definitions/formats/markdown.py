"""What the formats in Markdown share: front matter says who, the text below is the persona."""

from __future__ import annotations

from aurora_soar.definitions.definition import DefinitionError
from aurora_soar.definitions.fields import Fields
from aurora_soar.definitions.frontmatter import front_matter

__all__ = ["persona_of", "read_markdown"]


def read_markdown(text: str) -> tuple[Fields, str]:
    """The keys, and the text below them.

    Raises:
        DefinitionError: See `front_matter`; or nothing stands before the text.
    """
    keys, body = front_matter(text)
    if not keys:
        raise DefinitionError("has no front matter: it must begin with a line with ---", 1)
    return Fields(keys), body


def persona_of(fields: Fields, body: str) -> str:
    """Who the agent is: the text, else what the file says of its purpose.

    Raises:
        DefinitionError: It says neither.
    """
    persona = Fields({"the text": body}).text("the text") or fields.text("description")
    if not persona:
        raise DefinitionError("does not say who the agent is: there is no text")
    return persona
