"""find_artifacts: the places of the files that a handler reads."""

from __future__ import annotations

from tests.db.toy import Toy

ADD = """
    insert into headgate.artifacts (store, name, key, sha256, bytes, rows, media_type, created_at, deleted_at)
    select 'a', n::text, 'key/' || n, repeat('0', 64), n, 7, 'text/csv', headgate.clock(),
        case when n = 2 then headgate.clock() end
    from generate_series(1, 3) as n
    returning artifact_id
"""


def test_an_artifact_is_found_with_all_that_a_runner_needs_to_fetch_it(toy: Toy):
    toy.sql("insert into headgate.stores (name, url) values ('a', 'file:///a')")
    one, given_up, three = (x["artifact_id"] for x in toy.sql(ADD))

    rows = toy.call("find_artifacts", p_artifact_ids=[three, given_up, one, 0])
    assert [x["artifact_id"] for x in rows] == [one, three]
    assert rows[0]["store"]["url"] == "file:///a"
    assert (rows[0]["name"], rows[0]["key"], rows[0]["bytes"], rows[0]["rows"]) == (
        "1",
        "key/1",
        1,
        7,
    )
