"""eiw report: report.md, report.html and figures from the results.jsonl of a run.

Beside the rows it reads the scores of documents that they name.
"""

import pathlib

from absl import flags

from eiw import errors, rows
from eiw.analysis import report


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of `eiw report`."""
    flags.DEFINE_string("run", "runs/smoke", "Folder that holds results.jsonl.", flag_values=values)
    flags.DEFINE_string(
        "output", None, "Folder of the report; default: the run's.", flag_values=values
    )


def run(values: flags.FlagValues) -> None:
    """Writes the report and says where it is."""
    folder = pathlib.Path(values.run)
    results = rows.read_rows(folder / "results.jsonl")
    if not results:
        raise errors.InputError(f"{folder / 'results.jsonl'} holds no rows yet: run something.")
    output = pathlib.Path(values.output or folder)
    report.write_report(output, results, folder)
    print(f"Report: {output / 'report.md'}, {output / 'report.html'}, {output / 'figures'}")
