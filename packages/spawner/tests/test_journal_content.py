"""What makes a task the same task, and results as text and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner.errors import InvalidTaskError
from aurora_spawner.failures import FailureType
from aurora_spawner.journal import content_of
from aurora_spawner.journal.records import from_text, seal, to_text
from aurora_spawner.models import SpawnResult, SpawnTask

TASK = SpawnTask("Map cookie use.", agent="architect", tool="claude")

# Every character, lone surrogates and NUL included.
TEXTS = st.text(st.characters())
st.register_type_strategy(str, TEXTS)
st.register_type_strategy(float, st.floats(allow_nan=False))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"prompt": "Map cookie use"}, "prompt"),
        ({"agent": "coder"}, "agent"),
        ({"persona": "Security architect."}, "persona"),
        ({"tool": "codex"}, "tool"),
        ({"model": "large"}, "model"),
        ({"command": ("make", "test")}, "command"),
        ({"cwd": "web"}, "cwd"),
    ],
)
def test_each_part_of_the_question_is_named_when_it_changed(
    change: dict[str, object], named: str
) -> None:
    """F59: a changed part of what is asked gives another key, and is named, in both directions."""
    before, now = content_of(TASK), content_of(replace(TASK, **change))
    assert before.key != now.key
    assert now.changes(before.parts) == before.changes(now.parts) == (named,)


def test_what_only_the_caller_knows_is_named_when_it_changed() -> None:
    """F59: agent definition, check and dependency results come as the caller's, and are named."""
    before = content_of(TASK, {"check": "pytest", "agent definition": "v1", "result of api": "ok"})
    now = content_of(replace(TASK, model="large"), {"check": "pytest -q", "agent definition": "v1"})
    assert now.changes(before.parts) == ("model", "check", "result of api")


@pytest.mark.parametrize(
    "change", [{"timeout": 9.0}, {"policy": "patient"}, {"env": {"TOKEN": "secret"}}]
)
def test_patience_and_environment_change_no_key(change: dict[str, object]) -> None:
    """How long to wait, and the environment with its secrets, are no part of the key."""
    assert content_of(replace(TASK, **change)) == content_of(TASK)


def test_words_do_not_move_between_parts() -> None:
    """Parts that read the same when joined have different keys."""
    one, other = SpawnTask("b", persona="a"), SpawnTask("ab")
    as_words, as_word = SpawnTask("", command=("a", "b")), SpawnTask("", command=("a b",))
    assert content_of(one).key != content_of(other).key
    assert content_of(as_words).key != content_of(as_word).key


def test_a_name_of_the_task_itself_is_refused() -> None:
    """The caller cannot put something else in the place of a part."""
    with pytest.raises(InvalidTaskError, match='"prompt" is a part of the task itself'):
        content_of(TASK, {"prompt": "another"})


@given(prompt=TEXTS, more=st.dictionaries(st.sampled_from("abc"), TEXTS))
def test_any_text_has_a_key(prompt: str, more: Mapping[str, str]) -> None:
    """Any text, lone surrogates included, has the same key each time, whatever the order."""
    backwards = dict(reversed(more.items()))
    content = content_of(SpawnTask(prompt), more)
    assert content == content_of(SpawnTask(prompt), backwards)
    assert content.changes(content.parts) == ()


@given(st.from_type(SpawnResult))
def test_every_result_comes_back_from_its_text(result: SpawnResult) -> None:
    """Every field, of any value, comes back as it was; the text is UTF-8 without NUL."""
    text = to_text(result)
    assert from_text(SpawnResult, text) == result
    assert "\0" not in text.encode().decode()


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    colour: Colour | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """Shapes that a result may have one day."""

    parts: tuple[Part, ...] = ()
    one: Part | None = None
    pair: tuple[int, str] = (0, "")
    named: Mapping[str, Part] = field(default_factory=dict)
    several: list[Part] = field(default_factory=list)
    either: int | str = 0


@given(st.from_type(Whole))
def test_nested_data_comes_back_from_its_text(whole: Whole) -> None:
    """What results may hold one day comes back as well: data in data, pairs, lists, mappings."""
    assert from_text(Whole, to_text(whole)) == whole


def test_a_result_of_another_version_is_read_as_far_as_it_is_known() -> None:
    """A field not known here is left out; one that is missing has its default."""
    newer = json.loads(to_text(SpawnResult(False, "", "no", 1, tool="claude")))
    newer |= {"mood": "bad", "failure_type": "boredom"}
    assert from_text(SpawnResult, json.dumps(newer)) == SpawnResult(
        False, "", "no", 1, tool="claude"
    )
    older = {"success": True, "output": "yes", "error": None, "exit_code": 0}
    assert from_text(SpawnResult, json.dumps(older)) == SpawnResult(True, "yes", None, 0)


@pytest.mark.parametrize("text", ["", "[]", "null", '"yes"', '{"success": true}'])
def test_what_is_no_result_is_refused(text: str) -> None:
    """A text without what a result cannot do without is an error, never a made-up result."""
    with pytest.raises(ValueError):  # noqa: PT011 - whose words vary
        from_text(SpawnResult, text)


def test_what_cannot_be_recorded_is_an_error() -> None:
    """A value that JSON cannot hold is refused when it is written."""
    with pytest.raises(TypeError, match="bytes cannot be recorded"):
        to_text(SpawnResult(True, b"raw", None, 0))  # type: ignore[arg-type]


def test_failure_types_stay_what_they_are() -> None:
    """A kind of failure comes back as that kind, not as its text."""
    failed = SpawnResult.failed("no", FailureType.AUTH)
    assert type(from_text(SpawnResult, to_text(failed)).failure_type) is FailureType
    assert {field.name for field in fields(SpawnResult)} == json.loads(to_text(failed)).keys()


@given(st.lists(TEXTS.filter(str.isascii) | st.integers() | st.none(), min_size=1), st.data())
def test_a_seal_tells_any_change(columns: list[str | int | None], data: st.DataObject) -> None:
    """A seal changes with any value, with its type, and with where one column ends."""
    place = data.draw(st.integers(0, len(columns) - 1))
    other = data.draw(
        (st.text("ab") | st.integers() | st.none()).filter(lambda value: value != columns[place])
    )
    changed = [*columns[:place], other, *columns[place + 1 :]]
    assert seal(*columns) != seal(*changed)
    assert seal("1") != seal(1)
    assert seal("a", "b") != seal("ab")
