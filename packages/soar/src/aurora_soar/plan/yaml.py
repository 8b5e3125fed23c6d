"""Plans in YAML: its data, and the line of every key.

The safe loader is used, which knows no tags that make objects. What it would pass over in silence
is refused: a key that stands twice, and one that is no text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from aurora_soar.plan.lines import KeyPath, Lines

__all__ = ["YamlError", "parse_yaml"]


class YamlError(Exception):
    """The text cannot be taken for a plan; `line` counts from 1, None where there is none."""

    def __init__(self, line: int | None, text: str) -> None:
        super().__init__(text)
        self.line = line


def parse_yaml(text: str) -> tuple[Any, Lines]:
    """The data of a YAML document, and its lines.

    Raises:
        YamlError: It is not valid, or holds what only YAML can say: tags, keys that are no text.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return {}, Lines({})
        known = dict(_places(root, ()))
        return yaml.safe_load(text), Lines(known)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise YamlError(line, f"not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise YamlError(None, f"not valid YAML: {error}") from None
    except ValueError as error:
        # A date that no calendar has.
        raise YamlError(None, f"not valid YAML: {error}") from None


def _places(node: yaml.Node, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield (*path, position), item.start_mark.line + 1
            yield from _places(item, (*path, position))
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or table"
                raise YamlError(line, f"the key {shown} is no text; put it in quotes")
            if key.value in seen:
                raise YamlError(line, f'the key "{key.value}" stands twice')
            seen.add(key.value)
            yield (*path, key.value), line
            yield from _places(value, (*path, key.value))
