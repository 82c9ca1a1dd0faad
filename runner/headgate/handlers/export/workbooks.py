"""Writes Excel workbooks row by row, in constant memory.

Values that Excel cannot hold become text: numbers of more than 15 digits, NaN and infinity, times
before 1900. Texts never become formulas or links. Too long texts and too many rows or columns are
refused.
"""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import xlsxwriter

from headgate.errors import InvalidValue
from headgate.handlers.export.writers import Writer

MAX_ROWS: Final = 1_048_575
"""Rows of a sheet below its header."""
MAX_COLUMNS: Final = 16_384
LONGEST_TEXT: Final = 32_767
DIGITS: Final = 15
LARGEST_NUMBER: Final = 10**DIGITS
FIRST_YEAR: Final = 1900
SETTINGS: Final[dict[str, Any]] = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "default_date_format": "yyyy-mm-dd",
}
MADE_AT: Final = datetime(2000, 1, 1)  # constant, so that equal rows give equal files


class XlsxWriter(Writer):
    """A workbook of one sheet with a header."""

    def begin(self) -> None:
        """Write the header."""
        if len(self.columns) > MAX_COLUMNS:
            raise InvalidValue(f"a sheet holds {MAX_COLUMNS} columns, not {len(self.columns)}")
        self._book = xlsxwriter.Workbook(self.file, {**SETTINGS, "tmpdir": str(self.path.parent)})
        self._book.set_properties({"created": MADE_AT})
        self._sheet = self._book.add_worksheet("rows")
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        self._writes = [self._write_of(field.type) for field in self.columns]
        for nth, name in enumerate(self.columns.names):
            self._sheet.write_string(0, nth, name)

    def add(self, rows: Any) -> None:
        """Write a batch."""
        if self.rows + len(rows) > MAX_ROWS:
            raise InvalidValue(
                f"a sheet holds {MAX_ROWS} rows below its header: give the option max_rows, "
                "and a {part} in artifact_name, or write parquet or CSV"
            )
        names = self.columns.names
        for row, values in enumerate(
            zip(*(column.to_pylist() for column in rows.columns), strict=True), self.rows + 1
        ):
            for nth, value in enumerate(values):
                if value is not None and self._writes[nth](row, nth, value) == -2:
                    raise InvalidValue(
                        f"column {names[nth]}, row {row}: a text has {len(str(value))} characters, "
                        f"and a cell of a workbook holds {LONGEST_TEXT}"
                    )

    def end(self) -> None:
        """Finish the workbook."""
        self._book.close()

    def _write_of(self, kind: Any) -> Any:
        """Return the function that writes cells of a type; it returns -2 if a text is too long."""
        sheet = self._sheet
        if pa.types.is_boolean(kind):
            return sheet.write_boolean
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            return self._write_time
        if pa.types.is_string(kind):
            return sheet.write_string
        return sheet.write_number if _is_exact(kind) else self._write_number

    def _write_number(self, row: int, column: int, value: Any) -> int:
        is_exact = (
            math.isfinite(value)
            and abs(value) < LARGEST_NUMBER
            and not (
                isinstance(value, Decimal) and len(value.normalize().as_tuple().digits) > DIGITS
            )
        )
        if is_exact:
            return int(self._sheet.write_number(row, column, value))
        return int(self._sheet.write_string(row, column, _said(value)))

    def _write_time(self, row: int, column: int, value: date) -> int:
        if value.year < FIRST_YEAR:
            return int(self._sheet.write_string(row, column, value.isoformat()))
        if isinstance(value, datetime):
            plain = value.replace(tzinfo=None)
            return int(self._sheet.write_datetime(row, column, plain, self._time))
        return int(self._sheet.write_datetime(row, column, value))


def _is_exact(kind: Any) -> bool:
    """Return whether Excel holds all numbers of a type."""
    if pa.types.is_integer(kind):
        return bool(kind.bit_width < 64)
    return bool(pa.types.is_decimal(kind) and kind.precision <= DIGITS)


def _digits(value: Decimal) -> int:
    return len(value.normalize().as_tuple().digits)


def _said(value: float | int | Decimal) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
