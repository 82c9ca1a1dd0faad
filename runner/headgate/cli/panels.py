"""The commands, as `headgate --help` lists them: panels, a line for each command, and its place."""

from __future__ import annotations

from typing import Any, NamedTuple


class Entry(NamedTuple):
    """A line of `headgate --help`, and the place of the command."""

    place: str
    """Module of headgate.cli.commands, and the function or Typer application in it."""
    summary: str
    """The first line of the function's docstring; a test keeps them equal."""
    settings: dict[str, Any] | None = None
    """Context settings of click, if they differ from the defaults."""


PANELS: dict[str, dict[str, Entry]] = {
    "Runs": {
        "demo": Entry(
            "demo:demo",
            "Run a plan against stand-ins for its services, in its own database; needs no account.",
        ),
        "run": Entry(
            "run:run",
            "Run a pipeline to its end, or continue a run that an interrupted command left behind.",
        ),
        "retry": Entry(
            "run:retry",
            "Retry the failed, deferred and cancelled jobs of a run, and work the run off to "
            "its end.",
        ),
        "rerun": Entry(
            "run:rerun",
            "Run a step of a run and all steps behind it again, even succeeded ones, to the "
            "run's end.",
        ),
        "backfill": Entry(
            "backfill:backfill",
            "Queue a run for each day of a range that has no successful run, oldest first.",
        ),
        "worker": Entry(
            "worker:worker",
            "Work off the queues of all pipelines; Ctrl-C, SIGTERM or SIGHUP gives back "
            "waiting work.",
        ),
        "explain": Entry(
            "explain:explain",
            "Show what a run would do, what it would defer, and why; nothing is changed.",
        ),
        "forecast": Entry(
            "forecast:forecast",
            "Show what a run on each of the next days would do, and when everything is loaded.",
        ),
    },
    "Author": {
        "new": Entry(
            "new:new",
            "Write a new plan and its DAG: a small working one, with an example to run against.",
        ),
        "check": Entry(
            "check:check",
            "Try a plan's files and roll back: show all changes they would make, and all mistakes.",
        ),
        "request": Entry(
            "trial:request",
            "Show the request of an operation for an asset as it would be sent, with the "
            "secret masked.",
        ),
        "try": Entry(
            "trial:try_",
            "Judge one answer and ingest it, then roll back: show the matching rule and the "
            "changes.",
        ),
    },
    "Operate": {
        "pause": Entry(
            "operate:pause",
            "Pause a pipeline: nothing new starts until it is resumed; calls in flight finish.",
        ),
        "resume": Entry("operate:resume", "Resume a paused pipeline where it stopped."),
        "cancel": Entry(
            "operate:cancel",
            "Stop a run: cancel what has not started and return its units; calls in flight finish.",
        ),
        "skip": Entry(
            "operate:skip", "Skip a step of a run; steps that depend on it count it as passed."
        ),
        "mark": Entry(
            "operate:mark",
            "Set the result of a run's step; what has not started of it is cancelled.",
        ),
    },
    "Look": {
        "web": Entry(
            "web:web", "Serve the pages in the browser, read-only and live, until Ctrl-C."
        ),
        "status": Entry(
            "status:status",
            "Show the latest runs, or the steps of one, what it waits for and how to continue.",
        ),
        "logs": Entry(
            "logs:logs",
            "Show the events of a run: steps, jobs, deferrals, alerts and operators' actions.",
        ),
        "pipelines": Entry("lists:pipelines", "List the pipelines, with the latest run of each."),
        "operations": Entry(
            "lists:operations",
            "List the operations: when they are due, what a call costs, and the health of "
            "their calls.",
        ),
        "assets": Entry(
            "lists:assets", "List all assets, or the due ones with their due operations."
        ),
        "show": Entry(
            "show:show", "Show one asset: the state of each of its needs, and its latest jobs."
        ),
        "quota": Entry(
            "lists:quota",
            "List the open quota windows, with their units reserved, spent and left.",
        ),
        "pools": Entry(
            "lists:pools",
            "List the pools: their slots, the slots taken by leases, and the waiting jobs.",
        ),
        "checks": Entry(
            "lists:checks",
            "List the checks of the data, with the latest result of each.",
        ),
        "runners": Entry(
            "lists:runners",
            "List the runners: where they run, what they lease and use, and when they last "
            "reported.",
        ),
        "metrics": Entry(
            "metrics:metrics",
            "Print all metrics as Prometheus reads them; `headgate web` serves them at /metrics.",
        ),
        "report": Entry(
            "report:report",
            "Write a run's plan, timeline, quota, failures and throughput as an HTML page.",
        ),
        "chart": Entry(
            "chart:chart", "Draw a listing's prices, volume, averages, RSI and MACD as a PNG."
        ),
    },
    "Database": {
        "up": Entry(
            "server:up", "Start the embedded PostgreSQL; it keeps running until `headgate down`."
        ),
        "down": Entry("server:down", "Stop the embedded PostgreSQL; its data stays."),
        "dsn": Entry("server:dsn", "Print a connection string and nothing else."),
        "psql": Entry(
            "server:psql",
            'Open psql on the database, or pass arguments on to it: `headgate psql -c "select 1"`.',
            {"ignore_unknown_options": True},
        ),
        "migrate": Entry(
            "migrate:migrate",
            "Apply new and changed files of db/; create the database if it is missing.",
        ),
        "load": Entry(
            "load:load",
            "Load a file of rows for assets that have none yet, and set watermarks; for the owner.",
        ),
        "backup": Entry(
            "backup:backup",
            "Write the database to a file, as of one moment; runners may go on meanwhile.",
        ),
        "restore": Entry(
            "backup:restore",
            "Restore a backup into a new database, with its roles, and migrate it to the state "
            "of db/.",
        ),
        "doctor": Entry(
            "doctor:doctor",
            "Check server, schema, queues, ledger and calendars; say how to fix problems.",
        ),
        "airflow": Entry(
            "airflow:app", "Run Airflow's processes and runners, and Airflow's own commands."
        ),
    },
}
ENTRIES = {name: entry for panel in PANELS.values() for name, entry in panel.items()}
