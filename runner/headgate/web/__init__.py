"""The pages in the browser: read-only, live, as headgate_reader (the extra `web`)."""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.web.app import serve
    from headgate.web.security import is_private

__all__ = ["is_private", "serve"]
__getattr__ = lazily(__name__, {"is_private": "security", "serve": "app"})
