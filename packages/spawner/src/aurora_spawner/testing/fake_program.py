"""The program behind `FakeAgent`: does the steps of its command line, one after the other.

    python -I -S fake_program.py echo sleep=0.2 err=oh%20no%0A exit=3

An argument is a step, `name` or `name=value`; which there are and what their values mean stands in
`STEPS`. Text is percent-encoded UTF-8 or any other bytes. At the end of the steps it exits with 0.

A fake agent is started thousands of times in a test run, so this file imports nothing of ours, no
more of the standard library than an interpreter without `site` has anyway, and does no buffering.
"""

# The built-in half of `signal`: the other half brings `enum` and `re`, and doubles the start.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys
import time

_READ_SIZE = 64 * 1024
_STREAMS = {"in": 0, "out": 1, "err": 2}

_pid_files: list[str] = []
_memory: list[bytes] = []


def _decoded(text: str) -> bytes:
    first, *rest = text.encode("ascii").split(b"%")
    return first + b"".join(bytes.fromhex(part[:2].decode()) + part[2:] for part in rest)


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _echo(value: str) -> None:
    """`echo`: write standard input to standard output, as it comes, to its end."""
    while data := os.read(0, _READ_SIZE):
        _write(1, data)


def _read(value: str) -> None:
    """`read`: read standard input to its end; `read=N`: only N bytes of it."""
    left = int(value) if value else sys.maxsize
    while left and (data := os.read(0, min(left, _READ_SIZE))):
        left -= len(data)


def _close(value: str) -> None:
    """`close=in|out|err`: close that stream."""
    os.close(_STREAMS[value])


def _out(value: str) -> None:
    """`out=TEXT`: write to standard output, in one write if the pipe has room."""
    _write(1, _decoded(value))


def _err(value: str) -> None:
    """`err=TEXT`: write to standard error, likewise."""
    _write(2, _decoded(value))


def _fill(value: str) -> None:
    """`fill=out|err,N,TEXT`: write exactly N bytes, TEXT over and over."""
    stream, size, text = value.split(",", 2)
    pattern = _decoded(text)
    left = int(size)
    block = pattern * max(1, _READ_SIZE // len(pattern))
    while left > 0:
        _write(_STREAMS[stream], block[:left])
        left -= len(block)


def _progress(value: str) -> None:
    """`progress=N,SECONDS`: a progress bar on standard error in N steps, SECONDS apart."""
    steps, _, pause = value.partition(",")
    for step in range(1, int(steps) + 1):
        _write(2, f"\rworking {100 * step // int(steps):3}%".encode())
        time.sleep(float(pause))
    _write(2, b"\n")


def _sleep(value: str) -> None:
    """`sleep=SECONDS`."""
    time.sleep(float(value))


def _hang(value: str) -> None:
    """`hang`: sleep for ever, whatever signals are handled meanwhile."""
    while True:
        signal.pause()


def _allocate(value: str) -> None:
    """`allocate=BYTES`: hold that much memory from now on, every page of it touched."""
    _memory.append(b"x" * int(value))


def _ignore(value: str) -> None:
    """`ignore=SIGNAL`: ignore the signal of that number; what is forked later ignores it too."""
    signal.signal(int(value), signal.SIG_IGN)


def _stop(value: str) -> None:
    """`stop`: stop (SIGSTOP) until somebody says CONT."""
    os.kill(os.getpid(), signal.SIGSTOP)


def _die(value: str) -> None:
    """`die=SIGNAL`: die by the signal of that number, without a core dump."""
    import resource  # only here, for the same reason

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if int(value) not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(int(value), signal.SIG_DFL)
    os.kill(os.getpid(), int(value))
    _hang("")


def _exit(value: str) -> None:
    """`exit=CODE`: exit at once."""
    os._exit(int(value))


def _fail_first(value: str) -> None:
    """`fail_first=N,CODE,PATH,TEXT`: in the first N runs write TEXT to stderr and exit with CODE.

    The file at PATH grows by one byte a run, so that runs at the same time count right too.
    """
    count, code, path, text = value.split(",", 3)
    state = os.open(_decoded(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(state, b".")
    run = os.lseek(state, 0, os.SEEK_CUR)
    os.close(state)
    if run <= int(count):
        _write(2, _decoded(text))
        os._exit(int(code))


def _pids(value: str) -> None:
    """`pids=PATH`: append a line on this process, and on each one forked later, to the file."""
    _pid_files.append(value)
    _record()


def _record() -> None:
    started = "0"
    if os.path.exists("/proc/self/stat"):
        with open("/proc/self/stat", "rb", buffering=0) as stat:
            # The 22nd field; the second is a name in parentheses, which may hold anything.
            started = stat.read(1024).rpartition(b")")[2].split()[19].decode()
    for path in _pid_files:
        file = os.open(_decoded(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, f"{os.getpid()} {started}\n".encode())
        os.close(file)


def _fork(value: str) -> None:
    """`fork=OPTIONS,STEPS`: fork a process that does STEPS, and go on when it is under way.

    Options, parted by `+`: `setsid` in a session of its own, `double` with a parent that is gone,
    `scrubbed` with an empty environment, `quiet` with /dev/null in the place of the streams. Steps
    are parted by newlines, and the whole is percent-encoded once more.
    """
    options, _, encoded = value.partition(",")
    chosen = options.split("+")
    steps = _decoded(encoded).decode().split("\n")
    # The read ends when the last writer is gone: closed, or replaced by another program.
    ready, under_way = os.pipe()
    first = os.fork()
    if first:
        os.close(under_way)
        os.read(ready, 1)
        os.close(ready)
        if "double" in chosen:
            os.waitpid(first, 0)
        return
    if "setsid" in chosen:
        os.setsid()
    if "double" in chosen and os.fork():
        os._exit(0)
    os.close(ready)
    if "quiet" in chosen:
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in _STREAMS.values():
            os.dup2(nothing, descriptor)
        os.close(nothing)
    _record()
    if "scrubbed" in chosen:
        # The environment that others see is the one of the last exec.
        program = [sys.executable, "-I", "-S", __file__]
        records = [f"pids={path}" for path in _pid_files]
        os.execve(sys.executable, [*program, *records, *steps], {})
    os.close(under_way)
    _run(steps)


STEPS = {
    function.__name__[1:]: function
    for function in (
        _allocate,
        _close,
        _die,
        _echo,
        _err,
        _exit,
        _fail_first,
        _fill,
        _fork,
        _hang,
        _ignore,
        _out,
        _pids,
        _progress,
        _read,
        _sleep,
        _stop,
    )
}
"""What can be asked for, by name; each one's docstring tells its value."""


def _run(steps: list[str]) -> None:
    for step in steps:
        name, _, value = step.partition("=")
        STEPS[name](value)
    os._exit(0)


if __name__ == "__main__":
    # As any C program: gone when the reader is gone, without a traceback.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    _run(sys.argv[1:])
