"""Each claim about this breaker and the others holds: shown by running all of them."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from .circuits import CIRCUITS
from .claims import IN_ONE_PROCESS, OURS, SHARED_BY_PROCESSES, VERSIONS, Claim
from .clock import Clock

README = Path(__file__).parents[2] / "packages" / "circuit_breaker" / "README.md"
EVERY_CLAIM = (*IN_ONE_PROCESS, *SHARED_BY_PROCESSES)


def each(claims: tuple[Claim, ...]) -> pytest.MarkDecorator:
    """Every claim with ours, and with each library that it names."""
    return pytest.mark.parametrize(
        ("claim", "library"),
        [
            pytest.param(claim, library, id=f"{claim.scenario.__name__}-{library}")
            for claim in claims
            for library in (OURS, *sorted(claim.peers))
        ],
    )


def check(claim: Claim, library: str, seen: object) -> None:
    if library == OURS:
        assert seen == claim.ours
    else:
        assert seen == claim.peers[library], f"the README is unfair to {library} now"


@each(IN_ONE_PROCESS)
@pytest.mark.asyncio
async def test_in_one_process(
    claim: Claim, library: str, need: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours does what the claim says, and each library that it names has the defect still."""
    need(library)
    clock = Clock()
    check(claim, library, await claim.scenario(CIRCUITS[library](clock, monkeypatch), clock))


@each(SHARED_BY_PROCESSES)
def test_shared_by_processes(
    claim: Claim, library: str, need: Callable[[str], None], redis_url: str
) -> None:
    """The same for a circuit in Redis that several processes share."""
    need(library)
    check(claim, library, claim.scenario(library, redis_url))


@pytest.mark.parametrize("library", VERSIONS)
def test_the_newest_versions_are_compared(library: str, need: Callable[[str], None]) -> None:
    """What is run here is what the README says was run."""
    need(library)
    assert version(library) == VERSIONS[library]


@pytest.mark.parametrize("claim", EVERY_CLAIM, ids=lambda claim: claim.scenario.__name__)
def test_the_readme_has_the_row(claim: Claim) -> None:
    """The README's table says what is shown here, word for word."""
    assert claim.row in README.read_text(encoding="utf-8").splitlines()


def test_the_readme_names_the_versions() -> None:
    """The README says which versions were run."""
    text = " ".join(README.read_text(encoding="utf-8").split())
    assert all(f"{library} {number}" in text for library, number in VERSIONS.items())
