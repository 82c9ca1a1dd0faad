"""Technical indicators of daily bars: arithmetic over blocks of assets, for any provider."""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.handlers.indicators.block import Floats

__all__ = ["Floats"]
__getattr__ = lazily(__name__, {"Floats": "block"})
