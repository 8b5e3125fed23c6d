"""Say whether a tag may be published; print the folder of its package.

A tag is PACKAGE-vVERSION, for example `circuit-breaker-v1.2.0`. It may be published if

- the version is the one in the package's pyproject.toml,
- nobody has published that version,
- the name is free, or its newest release is by the author that our pyproject.toml names,
- so is a release of each sibling that the package needs, in the range that it needs.

The author of a release is a claim and not a proof: it stops accidents. Who may upload is decided by
the index, which trusts this repository's workflow or does not. The index is the one pip is set to.

    python .ci/release.py TAG
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

PACKAGES = Path(__file__).resolve().parents[1] / "packages"


class RefusedError(Exception):
    """The tag must not be published; the message says why."""


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask pip, and let it fail."""
    command = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def published(name: str) -> list[str]:
    """Return the versions that the index has of a project, newest first; none: the name is free."""
    answer = pip("index", "versions", "--pre", "--json", name)
    return list(json.loads(answer.stdout)["versions"]) if answer.returncode == 0 else []


def author(requirement: str) -> str | None:
    """Return who is named as the author of the newest fitting release; None: nothing fits.

    Only wheels are asked for: to ask a source distribution is to run its code.
    """
    with tempfile.TemporaryDirectory() as folder:
        pip("download", "--no-deps", "--only-binary", ":all:", "--dest", folder, requirement)
        for wheel in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
                return str(HeaderParser().parsestr(archive.read(name).decode())["Author"])
    return None


def project_of(tag: str) -> tuple[str, dict[str, Any]]:
    """Return the folder and the `[project]` table of the package that a tag names.

    Raises:
        RefusedError: No package has that name, or it has another version.
    """
    match = re.fullmatch(r"(?P<name>[a-z-]+)-v(?P<version>\d.*)", tag)
    if match is None:
        raise RefusedError(f'"{tag}" is not PACKAGE-vVERSION')
    folder = match["name"].replace("-", "_")
    if not (PACKAGES / folder / "pyproject.toml").is_file():
        raise RefusedError(f"packages/{folder} does not exist")
    project = tomllib.loads((PACKAGES / folder / "pyproject.toml").read_text())["project"]
    if project["version"] != match["version"]:
        raise RefusedError(f"the tag says {match['version']}, the package {project['version']}")
    return folder, project


def check(project: dict[str, Any]) -> None:
    """Compare a package with what the index has.

    Raises:
        RefusedError: It must not be published, or not yet.
    """
    # An index out of reach looks to pip like one without the project: ask for one that is there.
    if not published("pip"):
        raise RefusedError("the package index does not answer")
    name, version, ours = project["name"], project["version"], project["authors"][0]["name"]
    versions = published(name)
    if version in versions:
        raise RefusedError(f"{name} {version} is already published")
    if versions and (theirs := author(f"{name}=={versions[0]}")) != ours:
        raise RefusedError(f"{name} belongs to somebody else: {theirs or 'no wheel tells whom'}")
    for need in project["dependencies"]:
        if need.startswith("aurora-") and (theirs := author(need)) != ours:
            found = f"there is one by {theirs}" if theirs else "there is none"
            raise RefusedError(f"publish a release that satisfies {need} first: {found}")


def main(tag: str) -> None:
    """Check one tag."""
    try:
        folder, project = project_of(tag)
        check(project)
    except RefusedError as refusal:
        sys.exit(f"{tag} is not published: {refusal}")
    print(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
