"""`aurora-soar show`: look at a run, at one subgoal of it, or along while it goes on."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from aurora_soar.cli.changed import changed_by
from aurora_soar.cli.named import RunName, SubgoalName, run_or_exit, subgoal_or_exit
from aurora_soar.cli.places import HOME
from aurora_soar.cli.streams import complain, outputs, refuse
from aurora_soar.isolation import GitError, full_diff, repository_root
from aurora_soar.runs import DiaryReader, NoSuchRunError, RunFolder, find_run, run_ids
from aurora_soar.views import (
    event_line,
    glyphs_for,
    next_commands,
    output_console,
    page,
    run_lines,
    subgoal_lines,
)
from aurora_spawner import ExitCode, safe_line

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("show")
@outputs()
def show_command(
    run: RunName = None,
    subgoal: SubgoalName = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Look on while it goes on, to its end.")
    ] = False,
    log: Annotated[
        bool, typer.Option("--log", help="All that the subgoal's last attempt said.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="What was changed in worktrees, as a patch.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The results as JSON; with --follow the events.")
    ] = False,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write the page to FILE.")
    ] = None,
) -> None:
    """Show what became of a run, or of one subgoal.

    With -f it can be followed from another terminal. What agents said is made safe to show; the
    files of the run have it as it was.
    """
    if sum((follow, log, diff)) > 1:
        refuse("--follow, --log and --diff show different things: choose one")
    folder, subgoal = _named(run, subgoal)
    if subgoal is not None:
        subgoal = subgoal_or_exit(folder, subgoal)
    diary = DiaryReader(folder.diary)
    if follow:
        raise typer.Exit(_follow(folder, diary, as_json=as_json))
    if diff:
        _show_diff(folder, subgoal)
        return
    record = _record(folder, diary)
    parts = {each["id"]: each for each in record["subgoals"]}
    if html is not None:
        text = page(record, seen_from=Path(html).parent)
        Path(html).write_text(text, encoding="utf-8", errors="replace")
        return
    if log:
        if subgoal is None:
            refuse("--log is about one subgoal: aurora-soar show RUN ID --log")
        _show_log(folder, parts[subgoal])
        return
    if as_json:
        _say_json(record if subgoal is None else parts[subgoal])
        return
    glyphs = glyphs_for(sys.stdout)
    if subgoal is not None:
        _print(subgoal_lines(parts[subgoal], glyphs))
        return
    head = f"run {folder.id}  {safe_line(record['name'])}  {record['started'][:16]}"
    _print([Text(head), *run_lines(record, glyphs)])
    outcomes = {id: str(part["outcome"]) for id, part in parts.items()}
    if commands := next_commands(folder.id, outcomes):
        _print([Text(f"Next: {f' {glyphs.dot} '.join(commands)}")])


def _named(run: str | None, subgoal: str | None) -> tuple[RunFolder, str | None]:
    """The run and the subgoal that are meant; one name may well be that of a subgoal."""
    if run is not None and subgoal is None:
        with suppress(NoSuchRunError):
            latest = find_run(HOME, None)[1]
            if run in latest.ids and not any(each.startswith(run) for each in run_ids(HOME)):
                return latest, run
    return run_or_exit(run)[1], subgoal


def _record(folder: RunFolder, diary: DiaryReader) -> dict[str, Any]:
    """The results of a run that is over; ends here if there are none."""
    if diary.is_written:
        refuse(f"run {folder.id} goes on; look along: aurora-soar show {folder.id} --follow")
    try:
        record = json.loads(folder.results.read_text(encoding="utf-8"))
    except FileNotFoundError:
        refuse(
            f"run {folder.id} was ended before its results were written. "
            f"What is finished is kept: aurora-soar resume {folder.id}"
        )
    except ValueError as error:
        refuse(f"{folder.results} is damaged: {error}")
    assert isinstance(record, dict)
    return record


def _follow(folder: RunFolder, diary: DiaryReader, *, as_json: bool) -> int:
    """Pass on what happens until the run has ended; returns its exit code, as far as it is told."""
    code = None
    try:
        for line in diary.lines(follow=True):
            event = json.loads(line)
            if as_json:
                print(line, end="", flush=True)
            elif (shown := event_line(event)) is not None:
                _print([shown])
            if event["type"] == "run.finished":
                code = int(event["exit_code"])
    except FileNotFoundError:
        refuse(f"run {folder.id} has not begun, or is of a version that could not be followed")
    if code is None:
        complain(
            f"run {folder.id} was killed. What is finished is kept: aurora-soar resume {folder.id}"
        )
        return ExitCode.FAILED
    return code


def _show_log(folder: RunFolder, part: dict[str, Any]) -> None:
    if part["log"] is None:
        refuse(f'"{part["id"]}" was not attempted in this run: there is no log')
    shown = False
    for name in ("stdout.log", "stderr.log"):
        text = (Path(part["log"]).parent / name).read_text(encoding="utf-8", errors="replace")
        if text.strip():
            if shown:
                print("--- standard error")
            shown = True
            for line in text.rstrip("\n").split("\n"):
                print(safe_line(line))
    sys.stdout.flush()


def _show_diff(folder: RunFolder, subgoal: str | None) -> None:
    repository = repository_root(Path.cwd())
    if repository is None:
        refuse("this is no git repository, so no subgoal had a worktree")

    async def patches() -> list[str]:
        found = await changed_by(repository, folder)
        return [
            await full_diff(repository, each.changes.base, each.changes.commit)
            for each in found
            if subgoal in (None, each.subgoal)
        ]

    try:
        said = asyncio.run(patches())
    except GitError as error:
        refuse(str(error))
    if not said:
        refuse(f"nothing was changed in a worktree by {subgoal or f'run {folder.id}'}")
    # A patch for a terminal must not speak to it; one for a pipe must still apply.
    patch = "".join(said)
    if sys.stdout.isatty():
        patch = "\n".join(map(safe_line, patch.split("\n")))
    sys.stdout.buffer.write(patch.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def _say_json(data: object) -> None:
    text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def _print(lines: Iterable[Text]) -> None:
    console = output_console()
    for line in lines:
        console.print(line, soft_wrap=True)
    sys.stdout.flush()
