"""What is kept of runs: their folders, what was asked for, results that survive a crash."""

from aurora_soar.runs.diary import DiaryReader, DiaryWriter
from aurora_soar.runs.folder import RunFolder, run_ids, safe_names
from aurora_soar.runs.keeping import JournalMemo
from aurora_soar.runs.prediction import Fate, predict
from aurora_soar.runs.request import NoSuchRunError, RunRequest, find_run

__all__ = [
    "DiaryReader",
    "DiaryWriter",
    "Fate",
    "JournalMemo",
    "NoSuchRunError",
    "RunFolder",
    "RunRequest",
    "find_run",
    "predict",
    "run_ids",
    "safe_names",
]
