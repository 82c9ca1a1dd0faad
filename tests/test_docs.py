"""Statements, commands and figures in README.md and docs/ are true."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import typer
from psycopg import Connection
from psycopg.rows import DictRow

from headgate import errors
from headgate.cli import command_line
from headgate.cli.commands.carry import require_secrets
from headgate.cli.commands.status import find_run
from headgate.cli.commands.summary import print_summary
from headgate.cli.panels import ENTRIES
from headgate.database import connect, from_psycopg
from headgate.reports import facts_of
from headgate.settings import Settings
from tests.docs import FENCE, PAGES, ROOT, Block, as_lines, blocks, regenerated, squeezed
from tests.plan import Plan

PIPELINE = "data_collection_equities"
RUN_ID = "first"
RUN = {"p_pipeline": PIPELINE, "p_run_id": RUN_ID}
BLOCKS = [block for page in PAGES for block in blocks(page)]
SQL = [x for x in BLOCKS if x.language == "sql" and "needs" not in x.marks and not x.file]
SHELL = [block for block in BLOCKS if block.language == "sh"]
INLINE = re.compile(r"`((?:headgate|make) [^`]+)`")
SUM = re.compile(r"(\d[\d,.]*(?: [*/] \d[\d,.]*)+) = (\d[\d,]*(?:\.\d+)?)( million)?")
COMMANDS: dict[str, Any] = {name: command_line.command(name) for name in ENTRIES}
OPTIONS = {x for option in typer.main.get_command(command_line.app).params for x in option.opts}
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.fixture(scope="module")
def after_run(
    clone: Callable[[Settings | None], Settings], template: Settings
) -> Iterator[Connection[DictRow]]:
    """Do once what `make run` does, with answers made up here instead of from an HTTP server."""
    with connect(clone(template), "test", autocommit=False) as connection:
        db = Plan(connection)
        changes = {"quota": 5000, "buffer": 0, "requests_per_minute": None}
        db.call("set_provider", p_provider="eodhd", p_changes=changes)
        db.call("run_pipeline", p_pipeline=PIPELINE, p_run_id=RUN_ID)
        while db.row("execution_status", **RUN)["status"] == "running":
            db.advance()
            for chunk in db.call("claim_jobs", p_runner="test", p_max_chunks=100):
                if chunk["chunk_id"] is not None:
                    complete(db, chunk)
        yield connection


@pytest.fixture
def run(after_run: Connection[DictRow]) -> Iterator[Plan]:
    """Return the end of that run, to look at or to continue; rolled back."""
    with after_run.transaction(force_rollback=True):
        yield Plan(after_run)


def complete(db: Plan, chunk: dict[str, Any]) -> None:
    """Report every job of a chunk as answered: a company without figures, a history of one bar."""
    asset_ids = chunk["asset_ids"]
    answer = '{"General": {}}' if chunk["operation"] == "fundamentals_bulk" else "[]"
    db.call(
        "complete_jobs",
        p_runner="test",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=asset_ids,
        p_outcomes=["success"] * len(asset_ids),
        p_payloads=[answer] * len(asset_ids),
    )


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_readme_lists_every_page_once():
    (listed,) = re.findall(
        r"^## Documentation$(.*?)^## ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )

    found = re.findall(r"\]\(docs/([\w-]+\.md)\)", listed)
    assert sorted(found) == sorted(x.name for x in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", [x for x in PAGES if x.name != "README.md"], ids=lambda x: x.name)
def test_every_page_begins_with_its_reader(page):
    title, empty, reader, *_ = page.read_text().splitlines()

    assert title.startswith("# ") and not empty
    assert reader.startswith("For ")


def test_no_sentence_is_there_twice():
    seen: dict[str, str] = {}
    for page in PAGES:
        text = " ".join(FENCE.sub("\n", page.read_text()).split())
        for sentence in re.split(r"(?<=[.:;]) ", text):
            if len(sentence) > 60:
                assert sentence not in seen, f"{page.name} and {seen[sentence]}: {sentence}"
                seen[sentence] = page.name


def test_the_arithmetic_of_scaling_is_right():
    sums = SUM.findall((ROOT / "docs/scaling.md").read_text())

    assert sums
    for terms, said, million in sums:
        first, *rest = re.split(r" ([*/]) ", terms.replace(",", ""))
        value = float(first)
        for sign, number in zip(rest[::2], rest[1::2], strict=True):
            value = value * float(number) if sign == "*" else value / float(number)
        shown = float(said.replace(",", "")) * (1e6 if million else 1)
        assert value == pytest.approx(shown, rel=0.03), f"{terms} is {value:,.2f}"


def test_every_link_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("block", SQL, ids=str)
def test_every_query_runs_and_shows_what_the_page_shows(run, block):
    cursor = run.connection.execute(block.text)
    shown = output_of(block)

    if shown is not None:
        assert squeezed(shown.text) == as_lines(cursor.fetchall())


def output_of(block: Block) -> Block | None:
    """Return the block after this one, if it is marked as its output."""
    following = BLOCKS[BLOCKS.index(block) + 1 :][:1]
    return next((x for x in following if x.marks.get("output") == "psql"), None)


def test_a_run_prints_what_the_readme_shows(run, capsys):
    settings = Settings.from_env({})
    row = find_run(run.connection, settings, PIPELINE, RUN_ID)
    print_summary(settings, row, facts_of(run.connection, row))
    printed = squeezed(capsys.readouterr().out)

    (shown,) = (x for x in blocks(ROOT / "README.md") if x.marks.get("output") == "run")
    assert [line for line in squeezed(shown.text) if line not in printed] == []
    assert (row["units"], row["succeeded"]) == (4994, 2 * 454)


def commands() -> list[tuple[str, list[str]]]:
    """Return every command on every page, from shell blocks and between backticks."""
    found = []
    for block in SHELL:
        for line in block.text.splitlines():
            words = shlex.split(line, comments=True)
            while words and "=" in words[0]:
                words.pop(0)
            if words and words[0] in ("headgate", "make"):
                found.append((f"{block}: {line}", words))
    for page in PAGES:
        for text in INLINE.findall(page.read_text()):
            found.append((f"{page.name}: {text}", shlex.split(re.sub(r"[][]", " ", text))))
    return found


@pytest.mark.parametrize("place", [x for x, _ in commands()])
def test_every_command_exists_with_its_options(place):
    program, *rest = dict(commands())[place]
    if program == "make":
        targets = [x for x in rest if "=" not in x]
        assert all(re.search(rf"^{re.escape(x)}:", MAKEFILE, re.MULTILINE) for x in targets)
        return
    if rest[0].startswith("--"):
        assert set(rest) <= OPTIONS
        return
    assert rest[0] in COMMANDS
    known = {option for parameter in COMMANDS[rest[0]].params for option in parameter.opts}
    assert {x for x in rest[1:] if x.startswith("--") and x != "--"} <= known


def test_the_readme_names_every_command_and_option():
    table = "\n".join(x for x in (ROOT / "README.md").read_text().splitlines() if "`" in x)

    for name, command in COMMANDS.items():
        assert f"`headgate {name}" in table
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                assert parameter.opts[0] in table, f"{name} {parameter.opts[0]}"


EXPLAIN = f"select headgate.explain_summary('{PIPELINE}', p_params => %s)"
PROVOKED: dict[str, str] = {
    "HG001": "select headgate.run_pipeline('prices')",
    "HG002": f"select headgate.execution_status('{PIPELINE}', 'second')",
    "HG003": f"select headgate.skip_step('{PIPELINE}', 'first', 'process_mars')",
    "HG004": "select headgate.reset_asset(1, array['dividends'])",
    "HG005": "select headgate.set_provider('acme', '{}')",
    "HG006": EXPLAIN % """'{"exchanges": "MARS"}'""",
    "HG007": EXPLAIN % """'{"quota": 1}'""",
    "HG008": EXPLAIN % """'{"mode": "all"}'""",
    "HG009": "select headgate.find_asset('equities', 'NOPE.US')",
    "HG010": "select headgate.find_asset('equities', 'SAN')",
    "HG011": f"""
        update headgate.process_executions set status = 'running', finished_at = null;
        select headgate.run_pipeline('{PIPELINE}')
    """,
    "HG012": "select headgate.complete_jobs('me', 0, 1, '{}', '{}')",
    "HG013": f"""
        select headgate.pause_pipeline('{PIPELINE}');
        select headgate.run_pipeline('{PIPELINE}')
    """,
    "HG014": f"select headgate.run_pipeline('{PIPELINE}', '{{}}', 'gone');"
    f" select headgate.cancel_execution('{PIPELINE}', 'gone');"
    f" select headgate.enqueue_step('{PIPELINE}', 'gone', 'process_lse', 2)",
    "HG017": """
        update headgate.operations set path = '/x/{asset.cusip}' where name = 'fundamentals_bulk';
        select headgate.check_plans()
    """,
    "HG018": """
        update headgate.operations set ingest_function = 'equities.nope'
        where name = 'fundamentals_bulk';
        select headgate.check_plans()
    """,
    "HG020": """
        update headgate.pipeline_steps set operations = '{nope}' where step = 'process_lse';
        select headgate.check_plans()
    """,
}
PROVOKED |= {
    "HG021": f"""select headgate.run_pipeline('{PIPELINE}', '{{"mode": "bulk"}}', 'first')""",
    "HG022": f"select headgate.start_execution('{PIPELINE}', 'late', '2026-11-01', p_is_backfill => true)",
    "HG024": """
        update headgate.operations set query = '{"day": "{run.date}"}' where name = 'account_usage';
        select headgate.backfill('equities_account', '1999-01-01', '2020-01-01')
    """,
    "HG025": "select headgate.require_protocol(0)",
    "HG023": "select headgate._step_result('equities.check_prices', to_jsonb(repeat('x', 2000000)))",
}


def documented() -> dict[str, tuple[str, str]]:
    """Return the class and the message that docs/errors.md has for each code."""
    page = (ROOT / "docs" / "errors.md").read_text()
    rows = re.findall(r"^\| (HG\d{3}) \| `(\w+)` \| (.*?) \|", page, re.MULTILINE)
    return {code: (name, message) for code, name, message in rows}


def test_every_error_code_is_documented_with_its_class():
    known = {code: error.__name__ for code, error in errors.BY_CODE.items()}

    assert {code: name for code, (name, _) in documented().items()} == known


def test_every_code_that_is_raised_is_documented_as_raised():
    folders = [ROOT / "db" / "functions", ROOT / "db" / "plans", ROOT / "runner"]
    texts = (x.read_text() for y in folders for x in y.rglob("*") if x.suffix in (".sql", ".py"))
    raised = {code for text in texts for code in re.findall(r"'(HG\d{3})'", text)}

    assert raised <= set(documented())
    assert set(PROVOKED) | {"HG019"} == set(documented())


@pytest.mark.parametrize("code", PROVOKED)
def test_every_code_comes_with_the_message_of_the_page(run, code):
    with pytest.raises(psycopg.Error) as caught, run.connection.transaction():
        run.connection.execute(PROVOKED[code])

    error = from_psycopg(caught.value)
    assert (error.code, str(error)) == (code, documented()[code][1])
    assert error.hint


def test_an_error_looks_as_the_page_shows(run):
    with pytest.raises(psycopg.Error) as caught, run.connection.transaction():
        run.connection.execute(PROVOKED["HG001"])

    error = from_psycopg(caught.value)
    (shown,) = blocks(ROOT / "docs" / "errors.md")
    assert shown.text == f"error: {error} [{error.code}]\nhint: {error.hint}\n"


def test_the_changelog_names_the_latest_migrations():
    text = (ROOT / "CHANGELOG.md").read_text()

    for folder in (ROOT / "db" / "migrations", ROOT / "db/plans/equities/migrations"):
        latest = max(x.name[:4] for x in folder.glob("*.sql"))
        assert f"migrations 0001 to {latest}" in text


def test_a_missing_secret_is_reported_as_the_page_says(run, monkeypatch):
    monkeypatch.delenv("EODHD_API_TOKEN", raising=False)

    with pytest.raises(errors.SecretMissing, match="is not set") as caught:
        require_secrets(run.connection, PIPELINE)

    assert str(caught.value) == documented()["HG019"][1]


def test_every_error_class_without_a_code_is_documented():
    page = (ROOT / "docs" / "errors.md").read_text()
    classes = {
        name
        for name, x in vars(errors).items()
        if isinstance(x, type) and issubclass(x, errors.HeadgateError) and x.code is None
    }

    shown = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert classes - {"HeadgateError", "ServerError"} == shown


def test_every_environment_variable_is_documented_and_read():
    page = (ROOT / "docs" / "configuration.md").read_text()
    files = [*(ROOT / "runner").rglob("*.py"), ROOT / "Makefile", ROOT / "tests" / "conftest.py"]
    texts = [x.read_text() for x in files]
    read = {name for text in texts for name in re.findall(r"HEADGATE_[A-Z_]+[A-Z]", text)}
    told = set(re.findall(r"^\| `(HEADGATE_\w+)` \|", page, re.MULTILINE))

    assert told == read


def test_defaults_of_settings_are_documented():
    page = (ROOT / "docs" / "configuration.md").read_text()
    settings = Settings.from_env({})

    assert f"| `{settings.lock_timeout}` |" in page
    assert f"`{settings.home.name}` beside" in page
    assert f"else `{settings.database}` |" in page


def test_every_setting_in_the_database_is_documented(db):
    page = (ROOT / "docs" / "configuration.md").read_text()

    for row in db.sql("select name from headgate.settings"):
        assert f"| `{row['name']}` |" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda x: x.name)
def test_generated_parts_are_what_the_database_says(db, page):
    assert page.read_text() == regenerated(page, db.connection), "run: python -m tests.docs"


def test_every_fault_of_a_bar_is_documented():
    page = (ROOT / "docs" / "equities.md").read_text()
    source = (ROOT / "db/plans/equities/functions/_bar_fault.sql").read_text()

    for fault in re.findall(r"then '([a-z ]+)'", source):
        assert f"`{fault}`" in page
