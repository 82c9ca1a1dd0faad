"""An operation declares its handler's environment, which never holds secrets or access to the database."""

from __future__ import annotations

import psycopg
import pytest

from headgate.handlers.pool import WAYS_IN
from tests.db.toy import Toy

DECLARE = (
    "update headgate.operations set path = null, query = '{}', units = 0, handler = 'm:f',"
    " handler_environment = %(names)s where name = 'history'"
)


def declare(toy: Toy, *names: str | None) -> None:
    toy.sql(DECLARE, names=list(names))


def test_an_operation_declares_what_its_handler_sees(toy: Toy):
    declare(toy, "MODEL_KEY", "CUDA_VISIBLE_DEVICES", "_x1")

    assert (
        toy.scalar(
            "select cardinality(handler_environment) from headgate.operations where name = 'history'"
        )
        == 3
    )


@pytest.mark.parametrize("name", ["MODEL-KEY", "", "A=b", "A,B", "1A", "A\n", None])
def test_an_operation_declares_names_of_variables_alone(toy: Toy, name: str | None):
    with toy.refused("HG020", "operation history: its handler cannot see", "array of names"):
        declare(toy, "MODEL_KEY", name)


@pytest.mark.parametrize(
    "name",
    ["HEADGATE_DSN", "headgate_dsn", "HEADGATE_LISTEN_DSN", "PGPASSWORD", "PGHOST",
     "HEADGATE_RUNNER_PASSWORD"],
)  # fmt: skip
def test_variables_that_lead_to_the_database_are_refused(toy: Toy, name: str):
    with toy.refused(
        "HG020", f"may not see {name}, which leads to the database", "remove the name"
    ):
        declare(toy, "MODEL_KEY", name)


@pytest.mark.parametrize(
    "way_in", ["PG", "HEADGATE_DSN", "HEADGATE_LISTEN_DSN", "HEADGATE_X_PASSWORD"]
)
def test_the_plan_refuses_exactly_what_the_worker_withholds(toy: Toy, way_in: str):
    changed = (way_in, way_in.lower(), way_in[:-1], way_in[1:], way_in.replace("_", "__"))
    for name in (
        before + x + after for x in changed for before in ("", "X") for after in ("", "S")
    ):
        try:
            with toy.connection.transaction():
                declare(toy, name)
            is_refused = False
        except psycopg.Error as exc:
            assert exc.sqlstate == "HG020", exc
            is_refused = True
        assert is_refused == bool(WAYS_IN.fullmatch(name)), name


def test_a_provider_s_secret_is_refused_whichever_is_declared_first(toy: Toy):
    toy.sql("update headgate.providers set secret_name = 'SHOP_TOKEN' where name = 'shop'")
    with toy.refused("HG020", "may not see SHOP_TOKEN, the secret of provider shop", "remove the"):
        declare(toy, "SHOP_TOKEN")

    declare(toy, "MODEL_KEY")
    with toy.refused("HG020", "may not see MODEL_KEY, the secret of provider shop", "remove the"):
        toy.sql("update headgate.providers set secret_name = 'MODEL_KEY' where name = 'shop'")


def test_only_a_handler_has_an_environment(toy: Toy):
    with (
        pytest.raises(psycopg.errors.CheckViolation, match="environment_has_its_handler"),
        toy.connection.transaction(),
    ):
        toy.sql("update headgate.operations set handler_environment = '{A}' where name = 'history'")
