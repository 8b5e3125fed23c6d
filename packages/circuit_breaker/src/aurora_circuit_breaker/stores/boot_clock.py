"""Seconds that all processes of one machine agree on, and that no setting of a clock moves.

The wall clock can be set back or forward at any moment; the monotonic clock cannot, and on one
machine it shows every process the same, but it begins anew with each boot. So what is agreed on is
the difference between the two, once for each boot: the first process that asks after a boot fixes
it, so that the clock starts at the wall time and not before anything that was dated earlier, and
everybody adds the monotonic clock to it from then on. What the wall clock does later changes
nothing; while the machine is off, and only then, it is the wall clock that counts.

Time in which the machine sleeps is not counted on Linux, as for `time.monotonic` itself.
"""

import time
from pathlib import Path
from typing import NamedTuple

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Agreement(NamedTuple):
    """What the first process after a boot fixed.

    Attributes:
        boot: The boot, where the system gives it a name; elsewhere empty.
        monotonic: What the monotonic clock showed then.
        ahead: Seconds to add to the monotonic clock.
    """

    boot: str
    monotonic: float
    ahead: float

    def holds(self, boot: str, monotonic: float) -> bool:
        """Whether that was in this boot. Without names, a clock that shows less tells of another.

        A boot that is taken for an earlier one makes the time that passed too short, never
        negative.
        """
        return boot == self.boot and monotonic >= self.monotonic


def agree(boot: str, monotonic: float, wall: float, latest: float) -> Agreement:
    """Fix the difference for this boot, where nothing was dated after `latest` before."""
    return Agreement(boot, monotonic, max(wall, latest) - monotonic)


def this_boot() -> str:
    """The name of the running boot; empty where the system has none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def now(agreement: Agreement) -> float:
    """Seconds since 1970, as far as the wall clock was right when it was last asked."""
    return time.monotonic() + agreement.ahead
