"""A model server that does what a script says, in the four protocols that agent CLIs speak.

acts        what it can do with a request: answer, call a tool, refuse, break off, hang, cut
requests    what every protocol's requests have in common
anthropic, chat, responses, gemini      each protocol: how to read it, how to write an act in it
server      HTTP around them, on loopback; it remembers what was asked and what was paid for
"""

from .acts import Act, Break, Call, Cut, Failure, Hang, Refuse, Say, Script
from .requests import Asked
from .server import ModelServer, Record

__all__ = [
    "Act",
    "Asked",
    "Break",
    "Call",
    "Cut",
    "Failure",
    "Hang",
    "ModelServer",
    "Record",
    "Refuse",
    "Say",
    "Script",
]
