"""The page of a run: one file, no request to anywhere."""

from aurora_soar.views.report.page import page

__all__ = ["page"]
