"""Who may start now: one point that everything which starts an agent passes.

A turn is held for one attempt. Whoever waits for a retry, for a provider or for memory holds none.
"""

from aurora_soar.admission.budget import Budget
from aurora_soar.admission.desk import Admission, Ticket
from aurora_soar.admission.memory import Memory, free_memory

__all__ = ["Admission", "Budget", "Memory", "Ticket", "free_memory"]
