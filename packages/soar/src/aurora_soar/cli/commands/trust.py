"""`aurora-soar trust`: look at what a project names to be run or allowed, and trust it or not."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from aurora_soar.cli.columns import columns
from aurora_soar.cli.streams import complain, outputs
from aurora_soar.cli.trusting import Claim, claims_here
from aurora_soar.config import ConfigError
from aurora_soar.folders import state_folder
from aurora_soar.plan import did_you_mean
from aurora_soar.trust import Standing, Trust, TrustedFile, TrustError
from aurora_spawner import ExitCode, safe_line

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("trust")
@outputs()
def trust_command(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Only these; else all of the project."),
    ] = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Trust them without asking.")] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="Show what is trusted, in all projects.")
    ] = False,
    revoke: Annotated[
        str | None, typer.Option("--revoke", metavar="FILE", help="Trust this file no longer.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --list: as JSON.")] = False,
) -> None:
    """Trust files of this project that name commands, files or permissions, once you have seen it.

    The project's settings and agent files are meant, not plans, which you name yourself. A file is
    trusted as it is now: whenever it changes it waits again. Permissions are never widened by a
    file, trusted or not; --permissions does that.
    """
    try:
        trust = Trust(state_folder())
        if listed:
            _list(trust, as_json=as_json)
        elif revoke is not None:
            _revoke(trust, revoke)
        else:
            _trust(trust, files or (), yes=yes)
    except ConfigError as error:
        for problem in error.problems:
            complain(str(problem))
        raise typer.Exit(ExitCode.USAGE) from None
    except TrustError as error:
        complain(f"aurora-soar: {error}")
        raise typer.Exit(ExitCode.CANNOT_WRITE) from None


def _trust(trust: Trust, files: Sequence[str], *, yes: bool) -> None:
    waiting = []
    for claim in _asked_for(files):
        standing = trust.standing(claim.path, claim.content)
        if claim.demands and standing is not Standing.TRUSTED:
            waiting.append(claim)
            changed = " (it has changed since you trusted it)"
            print(f"{safe_line(claim.shown)}{changed if standing is Standing.CHANGED else ''}")
            for demand in claim.demands:
                print(f"  {safe_line(demand)}")
    if not waiting:
        where = "this project" if not files else "what you name"
        print(f"nothing of {where} waits for trust")
        sys.stdout.flush()
        return
    sys.stdout.flush()
    if not yes and not (sys.stdin and sys.stdin.isatty()):
        complain("aurora-soar: nobody can be asked here; to trust what is listed: add -y")
        raise typer.Exit(ExitCode.USAGE)
    many = f"these {len(waiting)} files" if len(waiting) > 1 else "this file"
    if not yes and not typer.confirm(f"Trust {many}?", err=True):
        raise typer.Exit(1)
    trust.add(
        {claim.path: claim.content for claim in waiting},
        datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )
    print(f"{len(waiting)} {'file' if len(waiting) == 1 else 'files'} trusted")
    sys.stdout.flush()


def _asked_for(files: Sequence[str]) -> list[Claim]:
    """The files of the project that are named, or all; ends here if one is none."""
    claims = claims_here()
    if not files:
        return claims
    known = {claim.path.resolve(): claim for claim in claims}
    asked_for = {}
    for name in files:
        path = Path(name).resolve()
        if path not in known:
            hint = did_you_mean(name, [claim.shown for claim in claims])
            complain(
                f'aurora-soar: "{name}" is neither the settings file of this project nor one of '
                f"its agents.{hint}"
            )
            raise typer.Exit(ExitCode.USAGE)
        asked_for[path] = known[path]
    return list(asked_for.values())


def _revoke(trust: Trust, name: str) -> None:
    if not trust.revoke(Path(name)):
        complain(f'aurora-soar: "{name}" is not trusted; what is: aurora-soar trust --list')
        raise typer.Exit(ExitCode.USAGE)
    print(f"{safe_line(name)} is trusted no longer")
    sys.stdout.flush()


def _list(trust: Trust, *, as_json: bool) -> None:
    rows = [(each, _state(trust, each)) for each in trust.files]
    if as_json:
        files = [
            {"file": str(each.path), "sha256": each.digest, "since": each.since, "state": state}
            for each, state in rows
        ]
        print(json.dumps({"v": 1, "file": str(trust.path), "files": files}, indent=2))
    elif not rows:
        print("no file is trusted")
    else:
        cells = [(safe_line(str(each.path)), each.since, state) for each, state in rows]
        for line in columns([("FILE", "SINCE", "STATE"), *cells]):
            print(line)
    sys.stdout.flush()


def _state(trust: Trust, file: TrustedFile) -> str:
    try:
        return trust.standing(file.path, file.path.read_bytes()).value
    except OSError:
        return "gone"
