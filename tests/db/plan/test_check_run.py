"""Parameters that a person typed are checked before anything else is checked or started."""

from __future__ import annotations

from tests.db.toy import Toy


def test_a_check_returns_the_parameters_a_run_would_have(toy: Toy):
    params = toy.value("check_run", p_pipeline="library", p_params={"max_new": "3"})

    assert (params["max_new"], params["mode"]) == (3, "auto")


def test_without_parameters_only_the_pipeline_is_checked(toy: Toy):
    assert toy.value("check_run", p_pipeline="library") is None
    with toy.refused("HG001"):
        toy.call("check_run", p_pipeline="nope")


def test_a_check_starts_nothing(toy: Toy):
    with toy.unchanged():
        toy.call("check_run", p_pipeline="library", p_params={})
        with toy.refused("HG008"):
            toy.call("check_run", p_pipeline="library", p_params={"mode": "everything"})
