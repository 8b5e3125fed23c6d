"""The example adapter, installed as users install it, and found through its entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[3] / "packages" / "spawner" / "examples" / "qwen"

INIT = {"type": "system", "subtype": "init", "session_id": "f05e", "model": "coder"}


def message(text: str, wrote: int) -> dict[str, Any]:
    content = [{"type": "text", "text": text}]
    usage = {"input_tokens": wrote and 20, "output_tokens": wrote}
    return {"type": "assistant", "message": {"content": content, "usage": usage}}


def result(text: str) -> dict[str, Any]:
    usage = {"input_tokens": 20, "output_tokens": 4}
    return {"type": "result", "is_error": False, "result": text, "usage": usage}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that it was installed into; nothing is downloaded for it."""
    folder = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    source = tmp_path_factory.mktemp("source")
    for file in EXAMPLE.glob("*.*"):
        (source / file.name).write_bytes(file.read_bytes())
    subprocess.run(
        [*pip, "--no-build-isolation", "--target", folder, source], check=True, cwd=source
    )
    return folder


class Command:
    """`aurora-spawn` where the package is installed, with a `qwen` on PATH that says `events`."""

    def __init__(self, site: Path, folder: Path, *events: object) -> None:
        said = folder / "said"
        said.write_text("".join(f"{json.dumps(event)}\n" for event in events))
        qwen = folder / "qwen"
        version = '[ "$1" = --version ] && exec echo 0.15.10'
        qwen.write_text(f'#!/bin/sh\n{version}\necho "$@" >{folder}/argv\ncat >&2\ncat {said}\n')
        qwen.chmod(0o755)
        self.argv = folder / "argv"
        self.env = {**os.environ, "PYTHONPATH": str(site), "PATH": f"{folder}:/usr/bin:/bin"}

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        main = "from aurora_spawner.cli import main; main()"
        command = (sys.executable, "-P", "-c", main, *words)
        return subprocess.run(
            command, check=False, env=self.env, capture_output=True, text=True, timeout=60
        )


@pytest.mark.parametrize("wanted", [(), ("--json",)])
def test_it_is_listed(installed: Path, tmp_path: Path, wanted: tuple[str, ...]) -> None:
    """A tool of another package is listed with its version, behind those that ship."""
    listed = Command(installed, tmp_path)("--list-tools", *wanted).stdout.splitlines()[-1]
    if wanted:
        told = json.loads(listed)
        assert (told["name"], told["version"], told["state"]) == ("qwen", "0.15.10", "tested")
    else:
        assert listed.split()[:3] == ["qwen", "0.15.10", "tested"]


def test_it_answers(installed: Path, tmp_path: Path) -> None:
    """It is chosen by its name, called as it says, and its answer read with all that it tells."""
    command = Command(installed, tmp_path, INIT, message("Fine.", 4), result("Fine."))
    words = ("--tool=qwen", "--model=coder", "--permissions=workspace-write", ":::", "question")
    ended = command(*words)
    line = json.loads(ended.stdout)
    assert (line["success"], line["output"], line["tool"]) == (True, "Fine.", "qwen")
    assert (line["tokens_in"], line["tokens_out"], line["session_id"]) == (20, 4, "f05e")
    assert (line["cost_usd"], line["stderr"]) == (None, "question")
    options = "--output-format=stream-json --approval-mode=auto-edit --model=coder"
    assert command.argv.read_text().strip() == options


def test_its_errors_are_its_own(installed: Path, tmp_path: Path) -> None:
    """Exit 0 and `is_error: false` are no success where the answer is the CLI's own error."""
    text = "[API Error: 401 who are you]"
    command = Command(installed, tmp_path, INIT, message(text, 0), result(text))
    ended = command("--tool=qwen", ":::", "question")
    line = json.loads(ended.stdout)
    assert (ended.returncode, line["success"], line["failure_type"]) == (1, False, "auth")
    assert line["error"] == "who are you"


def test_f12_an_answer_about_errors(installed: Path, tmp_path: Path) -> None:
    """F12: the same words, written by a model, are an answer."""
    text = "[API Error: 401 who are you]"
    command = Command(installed, tmp_path, INIT, message(text, 9), result(text))
    line = json.loads(command("--tool=qwen", ":::", "question").stdout)
    assert (line["success"], line["output"]) == (True, text)


def test_one_that_cannot_be_loaded(tmp_path: Path) -> None:
    """A package whose tool cannot be loaded breaks nothing but that tool, and the error names the
    package and the cause."""
    info = tmp_path / "site" / "broken_tool-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-tool\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[aurora_spawner.tools]\nhal = no_such_module:Hal\n")
    command = Command(tmp_path / "site", tmp_path)
    listed = command("--list-tools").stdout
    assert "hal" in listed
    assert "broken" in listed
    assert command("--tool=extract", ":::", "question").returncode == 0
    ended = command("--tool=hal", ":::", "question")
    assert ended.returncode == 2
    assert '"hal" of broken-tool cannot be used: No module named' in ended.stderr
