"""The pages: one module for each, with its `PAGE`."""

from headgate.web.pages import overview

PAGES = (overview.PAGE,)
