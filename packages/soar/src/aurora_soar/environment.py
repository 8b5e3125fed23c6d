"""The minimal environment: which variables an agent inherits that is not to get all of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["MINIMAL", "inherited", "missing_hint"]

MINIMAL = frozenset(
    {
        *("HOME", "USER", "LOGNAME", "SHELL", "PATH", "PWD"),
        *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TZ", "TERM", "COLORTERM"),
        *("TMPDIR", "TMP", "TEMP", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"),
        *("XDG_DATA_HOME", "XDG_STATE_HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
        *("http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    }
)
"""What programs need to find themselves, their files, their language and the network; no key and
no token is among them."""

_NAME = re.compile(r"[A-Z][A-Z0-9_]{2,}")


def inherited(config: Mapping[str, object]) -> tuple[str, ...] | None:
    """The names that an agent of these settings inherits; None: all.

    Args:
        config: `env` (`inherit` or `minimal`) and `pass_env`, as in a plan.
    """
    if config.get("env") != "minimal":
        return None
    named = config.get("pass_env") or ()
    assert isinstance(named, Iterable)
    return tuple(sorted({*MINIMAL, *map(str, named)}))


def missing_hint(
    inherits: tuple[str, ...] | None, said: str, environment: Mapping[str, str]
) -> str | None:
    """How to pass the variables that a failed program speaks of, if it was not given them.

    Args:
        inherits: What it inherited; None: everything, so that nothing can be missing.
        said: Its error and what it said on standard error.
        environment: What we have.
    """
    if inherits is None:
        return None
    spoken_of = dict.fromkeys(_NAME.findall(said))
    missing = [name for name in spoken_of if name in environment and name not in inherits]
    if not missing:
        return None
    names = ", ".join(f'"{name}"' for name in missing)
    return f"its environment is minimal; to pass what it speaks of: pass_env = [{names}]"
