"""`headgate request` and `headgate try`: one job's request, and the result of an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from headgate.settings import Settings
from tests.adopt import adopt
from tests.plan import Plan
from tests.runner.cli.commands.conftest import Ask
from tests.runner.conftest import Run
from tests.runner.small_plan import write_plan

SECRET = "a-secret-of-ours"
QUOTA = "select used_elsewhere, spent from headgate.v_quota where provider = 'shop'"


@dataclass
class Service:
    """A provider on loopback that gives the set answer and records its requests."""

    url: str = ""
    status: int = 200
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def service() -> Iterator[Service]:
    """Serve it from a thread."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.asked.append((self.path, self.headers["Authorization"]))
            self.send_response(service.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "11")
            self.end_headers()
            self.wfile.write(b'{"thing":1}')

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_port}/api"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield service
        server.shutdown()
        thread.join()


@pytest.fixture
def things(core_plan: Plan, service: Service) -> Plan:
    """Write a plan that calls it."""
    write_plan(
        core_plan,
        base_url=service.url,
        assets=2,
        auth={"in": "bearer"},
        secret_name="SHOP_TOKEN",
        provider_columns={"quota": 10},
        operation_columns={"units": 2},
    )
    return core_plan


@pytest.fixture
def body(tmp_path: Path) -> Path:
    """Write an answer's body into a file."""
    path = tmp_path / "answer.json"
    path.write_text('{"thing":1}')
    return path


@pytest.fixture
def tried(run: Run, core: Settings) -> Any:
    """Try an operation with the secret set."""

    def call(*arguments: str) -> SimpleNamespace:
        result: SimpleNamespace = run("try", *arguments, settings=core, SHOP_TOKEN=SECRET)
        assert SECRET not in result.out + result.err and "Traceback" not in result.err
        return result

    return call


def test_a_request_is_shown_as_it_would_be_sent_with_the_secret_masked(
    run: Run, core: Settings, things: Plan, service: Service
):
    result = run("request", "look_shop", "T1", settings=core, SHOP_TOKEN=SECRET)

    first, *headers = result.out.splitlines()
    assert (result.code, first) == (0, f"GET {service.url}/things/T1")
    assert "Authorization: Bearer $SHOP_TOKEN" in headers and "User-Agent: headgate" in headers
    assert "2 units of shop; as in a run of small_shop, step all; nothing was sent" in result.err
    assert SECRET not in result.out + result.err
    assert service.asked == []


def test_a_secret_in_the_url_is_masked_and_a_body_is_shown(asked: Ask, shown: Ask, things: Plan):
    things.sql(
        """update headgate.providers set auth = '{"in": "query", "name": "key"}' where name = 'shop'"""
    )
    things.sql("""update headgate.operations set method = 'POST', query = '{"of": "{asset.code}"}',
        body = '{"codes": ["{asset.code}"]}' where name = 'look_shop'""")

    found = asked("request", "look_shop", "T1")

    assert found["url"].endswith("/things/T1?of=T1&key=$SHOP_TOKEN")
    assert (found["method"], found["headers"]["Content-Type"]) == ("POST", "application/json")
    assert shown("request", "look_shop", "T1").splitlines()[-1] == '{"codes": ["T1"]}'


def test_a_request_that_cannot_be_written_says_why(refused: Ask, things: Plan):
    things.sql(
        "update headgate.operations set path = '/things/{asset.isin}' where name = 'look_shop'"
    )
    said = refused("request", "look_shop", "T1")
    assert "asset.isin" in said and "hint: the job would fail before anything is sent" in said

    things.sql("update headgate.operations set path = '/things/{asset.code}'")
    things.call(
        "upsert_assets", p_universe="shop", p_assets=Jsonb([{"code": "..", "group_key": "g"}])
    )
    assert "the request cannot be made: its URL leaves its place" in refused(
        "request", "look_shop", ".."
    )


@pytest.mark.parametrize("command", [["request"], ["try", "--send"]])
def test_unknown_names_are_refused_with_similar_ones(refused: Ask, things: Plan, command):
    for asset in ("T1", "of no universe"):
        assert "[HG004]\nhint: did you mean look_shop?" in refused(*command, "lok_shop", asset)
    assert "[HG009]\nhint: did you mean T1?" in refused(*command, "look_shop", "T11")


def test_of_a_code_of_several_universes_the_operations_own_is_meant(
    refused: Ask, asked: Ask, things: Plan
):
    write_plan(things, provider="market", assets=1)

    assert asked("request", "look_shop", "T0")["provider"] == "shop"
    assert asked("request", "look_shop", "T0", "--universe", "shop")["asset"] == "T0"
    assert "works on assets of universe shop" in refused(
        "request", "look_shop", "T0", "--universe", "market"
    )
    assert "makes no request" in refused("request", "look_market", "T0")


def test_a_good_answer_is_judged_and_ingested_and_undone(tried, things: Plan, body, service):
    result = tried("look_shop", "T1", "--answer", str(body))

    assert result.code == 0, result.err
    assert [" ".join(x.split()) for x in result.out.splitlines()] == [
        "answer 200 application/json, 11 bytes",
        "rule 1 of shop: 200",
        "outcome success: answered",
        "ingest success, 1 record",
        "public.answers: 1 inserted",
    ]
    assert "everything written was rolled back" in result.err
    assert things.sql("select from public.answers") == service.asked == []


def test_any_status_and_type_can_be_tried_and_no_secret_is_needed(
    run: Run, core: Settings, things: Plan, body
):
    result = run(
        "try", "look_shop", "T1", "--answer", str(body), "--status", "404", "--json", settings=core
    )

    found = json.loads(result.out)
    assert (result.code, found["ingest"]) == (1, None)
    assert found["rule"] == {"no": 2, "status": "404"}
    assert (found["outcome"]["outcome"], found["outcome"]["fault"]) == ("failed", "item")
    assert found["answer"]["status"] == "404"


def test_an_answer_that_closes_the_provider_says_so(tried, things: Plan, body):
    found = json.loads(
        tried("look_shop", "T1", "--answer", str(body), "--status", "402", "--json").out
    )

    assert (found["outcome"]["outcome"], found["outcome"]["blocks"]) == ("deferred", "reset")


def test_a_body_that_is_not_json_is_judged_as_a_runner_would(tried, things: Plan, tmp_path):
    (tmp_path / "cut.json").write_text('{"thing":')

    result = tried("look_shop", "T1", "--answer", str(tmp_path / "cut.json"))

    assert result.code == 1
    assert "rule     1 of shop: 200" in result.out and "not JSON" in result.out.replace(
        "no JSON", "not JSON"
    )


def test_sending_makes_one_call_by_the_runners_client_and_counts_its_units(
    tried, things: Plan, service: Service
):
    result = tried("look_shop", "T1", "--send")

    assert result.code == 0, result.err
    assert service.asked == [("/api/things/T1", f"Bearer {SECRET}")]
    assert "one call to shop: 2 units, counted as used elsewhere; 8 are left" in result.err
    assert "ingest   success, 1 record" in result.out
    assert things.sql(QUOTA) == [{"used_elsewhere": 2, "spent": 0}]
    assert things.sql("select from public.answers") == []


def test_a_call_that_fails_is_judged(tried, things: Plan, service: Service):
    service.status = 404
    assert "rule     2 of shop: 404" in tried("look_shop", "T1", "--send").out
    things.sql("update headgate.providers set base_url = 'http://127.0.0.1:9' where name = 'shop'")

    result = tried("look_shop", "T1", "--send")

    assert result.code == 1
    assert "answer   error:connect" in result.out and "retry, fault provider" in result.out


def test_without_the_secret_or_the_units_nothing_is_sent(
    refused: Ask, tried, things: Plan, service: Service
):
    assert "SHOP_TOKEN" in refused("try", "look_shop", "T1", "--send")
    assert things.sql(QUOTA) == []
    things.sql("update headgate.providers set quota = 1 where name = 'shop'")
    assert "the window of shop has fewer left" in tried("look_shop", "T1", "--send").err
    assert service.asked == []


def test_a_trial_without_an_answer_or_a_call_says_what_to_give(tried, things: Plan, body):
    for arguments in ([], ["--answer", str(body), "--send"]):
        result = tried("look_shop", "T1", *arguments)
        assert (result.code, result.out) == (2, "")
        assert "--answer" in result.err and "--send" in result.err
    assert "2 units" in tried("look_shop", "T1").err


def test_a_file_that_is_not_there_is_refused(refused: Ask, things: Plan):
    said = refused("try", "look_shop", "T1", "--answer", "nope.json")

    assert said.startswith("error: cannot read nope.json: No such file or directory\nhint: ")


def test_an_operation_without_a_request_needs_no_answer(shown: Ask, shop: Plan):
    shop.sql("update headgate.operations set ingest_function = 'public.keep_answers'")
    adopt(shop.connection)

    assert "public.answers: 1 inserted" in shown("try", "look_shop", "T1")
    assert shop.sql("select from public.answers") == []
