"""Where a run's page is."""

from __future__ import annotations

import pytest

from headgate.cli.commands.carry import print_page
from headgate.database import connect
from headgate.settings import Settings

RUN = {"pipeline": "shop", "run_id": "a/b"}


@pytest.mark.parametrize("address", ["http://127.0.0.1:8600/", "http://[::1]:8600/"])
def test_pages_that_are_served_on_this_machine_are_named(
    core: Settings, capsys: pytest.CaptureFixture[str], address: str
):
    with connect(core, f"web {address}"):
        print_page(core, RUN)

    assert capsys.readouterr().out == f"in the browser: {address}runs/shop/a%2Fb\n"


@pytest.mark.parametrize(
    "address",
    ["http://thief.test/", "http://127.0.0.1:80@thief.test/", "http://127.0.0.1:8600/?x=http://t/"],
)
def test_no_login_sends_anybody_elsewhere(
    core: Settings, capsys: pytest.CaptureFixture[str], address: str
):
    with connect(core, f"web {address}"):
        print_page(core, RUN)

    assert capsys.readouterr().out == ""
