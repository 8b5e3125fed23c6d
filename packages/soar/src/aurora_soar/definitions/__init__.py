"""The agents that people have already: definition files of agent CLIs, in project and home."""

from aurora_soar.definitions.definition import Definition, DefinitionError
from aurora_soar.definitions.discovery import discover
from aurora_soar.definitions.places import FORMATS
from aurora_soar.definitions.roster import Broken, Found, Roster

__all__ = ["FORMATS", "Broken", "Definition", "DefinitionError", "Found", "Roster", "discover"]
