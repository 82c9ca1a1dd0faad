"""Which pipelines support runs for past days."""

from __future__ import annotations

from tests.db.toy import Toy


def test_dated_pipelines_are_those_with_a_request_that_names_the_date(toy: Toy):
    assert toy.call("dated_pipelines") == []
    toy.tune("look", query={"day": "{run.date}"})

    assert toy.call("dated_pipelines") == [{"pipeline": "plain"}]
    toy.sql("update headgate.pipelines set is_retired = true where name = 'plain'")
    assert toy.call("dated_pipelines") == []
