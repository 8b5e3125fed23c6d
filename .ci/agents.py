"""Test with the real agent CLIs, where nothing of them reaches anybody.

    python .ci/agents.py [PYTEST ARGUMENT ...]

Installs those of `agents.toml` into `.agents`, and runs `tests/agents`, or those of it that the
arguments name, in a network namespace that has nothing but loopback, with an environment that has
nothing but a PATH and an empty home. It fails if a CLI or a namespace is not to be had: whoever
asks for this wants it to have happened.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINS = Path(__file__).with_name("agents.toml")
PLACE = ROOT / ".agents"
STAMP = PLACE / "installed"

# Where npm and pip put commands, in this order of PATH.
BINARIES = (PLACE / "bin", PLACE / "npm" / "node_modules" / ".bin", PLACE / "pip" / "bin")

# Seconds for one installer.
LIMIT = 900

INSIDE = "--inside"
TESTS = "tests/agents"

# From linux/sockios.h and linux/if.h.
SIOCSIFFLAGS = 0x8914
IFF_UP_AND_RUNNING = 0x1 | 0x40

REMEDY = """\
This kernel, or whoever set it up, lets nobody here make a namespace without a network; see
`unshare --map-root-user --net true`. Where AppArmor forbids it (Ubuntu 24.04 and later):
    sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0
In a container, start it with --security-opt seccomp=unconfined, or as root with CAP_SYS_ADMIN."""


def main(arguments: list[str]) -> None:
    """Install, go where there is no network, test."""
    if arguments[:1] == [INSIDE]:
        bring_up_loopback()
        named = any(argument.startswith(TESTS) for argument in arguments)
        paths = [] if named else [TESTS]
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *paths, *arguments[1:]])
    install()
    unshare = ("unshare", "--map-root-user", "--net")
    if subprocess.run([*unshare, "true"], check=False).returncode != 0:
        sys.exit(REMEDY)
    home = PLACE / "home"
    home.mkdir(exist_ok=True)
    command = [*unshare, sys.executable, __file__, INSIDE, *arguments]
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment(home), check=False).returncode)


def install() -> None:
    """Put every CLI of the pins into the place, unless they are there.

    Raises:
        SystemExit: An installer failed, or is not there.
    """
    wanted = hashlib.sha256(PINS.read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is not on PATH (Debian and Ubuntu: apt install nodejs npm)")
    pins = tomllib.loads(PINS.read_text(encoding="utf-8"))
    shutil.rmtree(PLACE, ignore_errors=True)
    (PLACE / "npm").mkdir(parents=True)
    packages = [f"{name}@{version}" for name, version in pins["npm"].items()]
    quietly = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    run(npm, "install", *quietly, "--prefix", str(PLACE / "npm"), *packages)
    run(sys.executable, "-m", "venv", str(PLACE / "pip"))
    requirements = [f"{name}=={version}" for name, version in pins["pip"].items()]
    run(str(PLACE / "pip" / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements)
    link_binaries()
    STAMP.write_text(wanted, encoding="utf-8")


def link_binaries() -> None:
    """Put the programs in front that npm's own launchers only look for."""
    (PLACE / "bin").mkdir()
    modules = PLACE / "npm" / "node_modules"
    # Without its install script, claude's launcher and opencode's have no program to start;
    # codex's stands between a signal and the program.
    for name, pattern in {
        "claude": "@anthropic-ai/claude-code-linux-*/claude",
        "codex": "@openai/codex-linux-*/vendor/*/*/codex",
        "opencode": "opencode-linux-*/bin/opencode",
    }.items():
        found = sorted(modules.glob(pattern), key=lambda path: ("baseline" in str(path), path))
        if not found:
            sys.exit(f"{name}: no program for this machine among {modules / pattern}")
        (PLACE / "bin" / name).symlink_to(found[0])


def run(*command: str) -> None:
    """Run an installer to its end."""
    print(f"== {Path(command[0]).name} {command[1]}", flush=True)
    done = subprocess.run(command, timeout=LIMIT, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed with code {done.returncode}")


def environment(home: Path) -> dict[str, str]:
    """All that the tests and the agents get to see of ours."""
    paths = [str(Path(sys.executable).parent), *map(str, BINARIES), os.environ.get("PATH", "")]
    kept = {name: os.environ[name] for name in ("CI", "TERM", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "PATH": os.pathsep.join(paths),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AURORA_AGENTS": str(PLACE),
    }


def bring_up_loopback() -> None:
    """The only network there is; a new namespace has it switched off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh22x", b"lo", IFF_UP_AND_RUNNING)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)


if __name__ == "__main__":
    main(sys.argv[1:])
