"""Processes of shipped handlers that use pyarrow load no pandas; a plan's handlers find it as ever."""

from __future__ import annotations

import subprocess
import sys

ONE_AFTER_THE_OTHER = """
import sys
from headgate.handlers.named import HANDLER, find
from headgate.handlers.pandas_apart import keep_apart
from headgate.handlers.places import place_of

for name in ("notices", "export", "load", "convert_formats", "process_data"):
    place = place_of(HANDLER.group, name)
    keep_apart(place)
    find(HANDLER, name, place)
import pyarrow
pyarrow.array([1]), pyarrow.scalar(1)
print("pandas" in sys.modules)

keep_apart("tests.runner.handlers.samples:mean")
import pandas
print(pyarrow.array(pandas.Series([1.0, float("nan")])).null_count)
keep_apart(place_of(HANDLER.group, "export"))
print(pyarrow.array(pandas.Series([1.0, float("nan")])).null_count)
"""


def test_pyarrow_does_without_pandas_until_a_plans_handler_comes():
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_THE_OTHER], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "1", "1"]
