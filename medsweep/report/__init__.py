"""The report of a verdict: one HTML file, Markdown, figures, one sentence.

Importing this package is cheap: matplotlib and jinja2 are imported when something is drawn.
No part of it shows a single document: only counts and scores over all of them.
"""

from medsweep.report.figures import write_figures
from medsweep.report.html import write_report
from medsweep.report.markdown import to_markdown
from medsweep.report.sentences import headline

__all__ = ["headline", "to_markdown", "write_figures", "write_report"]
