"""Which agent gets a subgoal that names none, and who an adhoc one is."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from aurora_soar import AgentInfo, AgentMatcher, AgentRegistry, choose_agents
from aurora_soar.phases import Choice, choose_agent
from aurora_soar.relevance import rare

SECURITY = AgentInfo("architect", "Security architect: sessions, cookies and tokens.")
DATABASE = AgentInfo("dba", "Databases: schemas, migrations and slow queries.")
WRITER = AgentInfo("writer", "Writes manuals and release notes.")
PROGRAM = AgentInfo("tests", "Runs tests of cookies and tokens.", {"command": ["make", "test"]})
SILENT = AgentInfo("cookies-tokens")
ALL = AgentRegistry([DATABASE, PROGRAM, SECURITY, SILENT, WRITER])


def test_the_best_agent_comes_first_with_its_reason() -> None:
    """Agents are ranked by the words they share with the subgoal, and those words are told."""
    best, *others = AgentMatcher().ranked("Map how cookies and session tokens are used.", ALL)
    assert (best.agent, best.fits) == (SECURITY, True)
    assert set(best.words) == {"cookies", "session", "tokens"}
    assert best.score > best.needed == pytest.approx(1.5 * rare(3))
    assert [each.agent for each in others] == [DATABASE, WRITER]
    assert not any(each.fits for each in others)


def test_whoever_cannot_be_asked_in_words_is_not_compared() -> None:
    """Programs do not read what they are asked, and of an agent without words nothing is known."""
    compared = {each.agent.id for each in AgentMatcher().ranked("cookies, tokens", ALL)}
    assert compared == {"architect", "dba", "writer"}
    assert AgentMatcher().ranked("cookies, tokens", [PROGRAM, SILENT]) == []


def test_a_purpose_is_taken_before_a_persona() -> None:
    """What an agent is for counts where that is said, and not the words of its persona."""
    reviewer = AgentInfo("r", "You love poems and rivers.", purpose="Reviews patches for bugs.")
    (match,) = AgentMatcher().ranked("Review the patches, find bugs, love poems", [reviewer])
    assert set(match.words) == {"review", "patches", "bugs"}


@pytest.mark.parametrize("description", ["Cookies?", "Paint the shed.", "", "Do the work."])
def test_one_word_is_not_enough(description: str) -> None:
    """Nobody fits who shares no more than one word, however rare it is."""
    assert not any(each.fits for each in AgentMatcher().ranked(description, ALL))


def test_words_that_all_agents_share_do_not_decide() -> None:
    """Two words that every agent has are below the score from which on one fits."""
    agents = [AgentInfo(f"a{number}", "Reviews Python code.") for number in range(4)]
    matches = AgentMatcher().ranked("Python code", agents)
    assert [each.agent.id for each in matches] == ["a0", "a1", "a2", "a3"]
    assert matches[0].words == ("code", "python")
    assert not matches[0].fits


def test_one_loud_word_does_not_win() -> None:
    """Whoever says one word again and again scores high, does not fit, and goes behind who does."""
    loud = AgentInfo("loud", 6 * "cookie ")
    calm = AgentInfo(
        "calm",
        "Looks after each token and each session in old, slow browser windows of guests abroad.",
    )
    first, second, *_ = AgentMatcher().ranked("Cookie, token, session", [loud, calm, WRITER])
    assert (first.agent, first.fits) == (calm, True)
    assert (second.agent, second.fits, second.words) == (loud, False, ("cookie",))
    assert second.score > first.score > first.needed


def choice(
    agent: str | None = None, name: str = "survey", words: str = "Map cookies, tokens."
) -> Choice:
    return choose_agent(ALL, name=name, description=words, agent=agent)


def test_what_is_named_is_not_matched() -> None:
    """A named agent gets the subgoal; if it is in no list it is adhoc, whoever else would fit."""
    assert choice("dba") == Choice(DATABASE)
    assert choice(name="writer") == Choice(WRITER)
    nobody = choice("cookie-critic")
    assert (nobody.agent.id, nobody.agent.is_adhoc, nobody.matches) == ("cookie-critic", True, ())


def test_who_names_nobody_gets_the_agent_that_fits_or_an_adhoc_one() -> None:
    """The best agent that fits; where none does, an adhoc one called like the subgoal."""
    assert choice().agent is SECURITY
    paint = choice(name="paint", words="Paint the shed.")
    assert (paint.agent.id, paint.agent.is_adhoc, len(paint.matches)) == ("paint", True, 3)


def test_subgoals_of_a_program_get_agents() -> None:
    """`choose_agents` gives what `execute_agents` takes: pairs of index and agent, in order."""
    subgoals = [
        {"prompt": "Map cookies and tokens."},
        {"description": "Paint it.", "id": "paint", "subgoal_index": 7},
        {"description": "Map cookies and tokens.", "agent": "dba"},
        {"description": "Something else."},
    ]
    chosen = choose_agents(subgoals, ALL)
    assert [(index, agent.id, agent.is_adhoc) for index, agent in chosen] == [
        (0, "architect", False),
        (7, "paint", True),
        (2, "dba", False),
        (3, "adhoc-3", True),
    ]


def test_without_a_matcher_nobody_is_matched() -> None:
    """The matcher is looked up when it is needed; where there is none, the agent is adhoc."""
    with patch("aurora_soar.phases.collect._get_agent_matcher", return_value=None) as matcher:
        assert choice().agent.is_adhoc
    matcher.assert_called_once_with()


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (AgentInfo("adhoc-fraud_analyst"), "Please act as a specialist: fraud analyst."),
        (AgentInfo("dynamic"), "Please act as a specialist: dynamic."),
        (AgentInfo("x", "Be brief."), "Please act as a specialist: x. Be brief."),
    ],
)
def test_the_persona_of_an_adhoc_agent(agent: AgentInfo, said: str) -> None:
    """A persona is made from the name, without the marks of being adhoc, and what is said of it."""
    assert AgentMatcher().persona(agent) == said
