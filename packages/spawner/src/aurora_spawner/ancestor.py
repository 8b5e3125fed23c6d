"""The commands' own tree: an ancestor that ends what is left when the command is gone.

    shell ─▶ relay ─▶ ancestor ─▶ worker ─▶ agents and what they start
             passes     adopts     the command
             signals on orphans    itself

Whichever of the three is killed, one of the others adopts what is left and ends it: also daemons
that scrubbed their environment, since an orphan goes to its nearest living subreaper. The ancestor
has a session of its own: killing the shell's job does not reach it, and its end is no hang-up of
those beside it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import NoReturn

from aurora_spawner import descendants
from aurora_spawner.supervisor import Supervisor, become_supervised

__all__ = ["supervise"]

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def supervise() -> None:
    """Put an ancestor above this program.

    To be called first thing in a command's `main`, before there are threads or event loops.
    Returns in the worker only; the process that was started passes signals on and ends as the
    worker ends. Does nothing where there are no subreapers (outside Linux).
    """
    if sys.platform != "linux":
        return
    supervisor = Supervisor(has_ancestor=True)
    lifeline, held = os.pipe()
    status, told = os.pipe()
    blocked = [*_PASSED_ON, signal.SIGTSTP, signal.SIGCHLD]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    _control(_PR_SET_CHILD_SUBREAPER, 1)
    ancestor = os.fork()
    if ancestor:
        os.close(lifeline)
        os.close(told)
        _relay(ancestor, status)
    os.close(held)
    os.close(status)
    _control(_PR_SET_CHILD_SUBREAPER, 1)
    above = os.getpid()
    worker = os.fork()
    if worker:
        # Not only a group: to lose its last parent of the same session hangs up a group in which
        # somebody stands still.
        os.setsid()
        _become_ancestor(worker, lifeline, told, supervisor)
    os.close(lifeline)
    os.close(told)
    _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != above:
        os._exit(128 + signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    become_supervised(supervisor)


def _control(option: int, value: int) -> None:
    # Only the commands need it, and importing it takes its time.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _become_ancestor(worker: int, lifeline: int, told: int, supervisor: Supervisor) -> NoReturn:
    """Become a small program that holds nothing of the terminal or of the reader's pipe."""
    try:
        os.write(told, f"{worker}\n".encode())
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nothing, standard)
        for descriptor in (supervisor.table, lifeline, told):
            os.set_inheritable(descriptor, True)
        words = [str(supervisor.table), supervisor.word, str(worker), str(lifeline), str(told)]
        os.chdir("/")
        program = [sys.executable, "-I", "-S", descendants.__file__]
        os.execv(sys.executable, [*program, "ancestor", *words])
    finally:
        os._exit(70)


def _relay(ancestor: int, status: int) -> NoReturn:
    """Pass signals on to the worker, and end as it ended."""
    with open(status, buffering=0, mode="rb") as told:
        first = told.readline()
        worker = int(first) if first else ancestor
        _pass_signals_on(worker, ancestor)
        last = told.readline()
    if not last:
        # The ancestor was killed: what was below it comes to us, while the worker dies as well.
        descendants.end_all(
            lambda: descendants.line_of(os.getpid(), descendants.processes()), descendants.childless
        )
    ended = int(last) if last else signal.SIGKILL
    if os.WIFEXITED(ended):
        os._exit(os.WEXITSTATUS(ended))
    number = os.WTERMSIG(ended)
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.kill(os.getpid(), number)
    os._exit(128 + number)


def _pass_signals_on(worker: int, ancestor: int) -> None:
    """Until the ancestor is gone."""
    while True:
        news = signal.sigwaitinfo([*_PASSED_ON, signal.SIGTSTP, signal.SIGCHLD])
        # The terminal signals the whole job; what somebody sent to us alone is passed on.
        from_somebody = news.si_code <= 0
        if news.si_signo == signal.SIGCHLD:
            if ancestor in descendants.reap():
                return
        elif news.si_signo == signal.SIGTSTP:
            if from_somebody:
                _send(worker, signal.SIGTSTP)
            os.kill(os.getpid(), signal.SIGSTOP)
            _send(worker, signal.SIGCONT)
        elif from_somebody or news.si_signo == signal.SIGHUP:
            # A terminal that is closed tells only the leader of its session, which may be us.
            _send(worker, news.si_signo)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
