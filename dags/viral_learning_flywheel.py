"""Read posts and learn from them, choose variants and publish them, measure what comes of it."""

from datetime import timedelta

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.dags import BRIEF, START, defaults

TEAM = {"owner": "viral-learning-team"}
AGAIN = {"retries": 3, "retry_delay": timedelta(minutes=5), **TEAM}
LATE = {"trigger_rule": "all_done", **TEAM}

with DAG(
    schedule="0 */6 * * *",
    **defaults(
        __file__,
        __doc__,
        page="viral.md",
        tags=["viral"],
        timeout=timedelta(hours=2),
    ),
):
    start = CallFunction(
        task_id="initialize_execution", function="headgate.start_execution", args=START
    )
    required = RunStep(task_id="ask_required", worker_wait=BRIEF, **AGAIN)
    others = RunStep(task_id="ask_others", worker_wait=BRIEF, **TEAM)
    health = CallFunction(task_id="health_check", function="viral.health_check", **LATE)
    trigger = RunStep(task_id="trigger_scraping", worker_wait=BRIEF, **AGAIN)
    scrape = RunStep(task_id="scrape_viral_content", **AGAIN)
    chosen = CallFunction(task_id="select_viral_posts", function="viral.select_viral_posts", **TEAM)
    extract = RunStep(task_id="extract_viral_patterns", **AGAIN)
    score = CallFunction(task_id="score_patterns", function="viral.score_patterns", **TEAM)
    read = RunStep(task_id="read_variants", worker_wait=BRIEF, **AGAIN)
    optimize = RunStep(task_id="optimize_parameters", worker_wait=BRIEF, **AGAIN)
    allocate = RunStep(task_id="allocate_variants", worker_wait=BRIEF, **AGAIN)
    generate = RunStep(task_id="generate_content_variants", trigger_rule="none_failed", **AGAIN)
    collect = RunStep(task_id="collect_metrics", worker_wait=BRIEF, **AGAIN)
    measure = CallFunction(task_id="measure_kpis", function="viral.measure_kpis", **TEAM)
    check = CallFunction(task_id="check_kpis", function="headgate.run_checks", **TEAM)
    report = CallFunction(task_id="generate_workflow_report", function="viral.write_report", **LATE)
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> [required, others] >> health >> trigger >> scrape >> chosen >> extract >> score
    score >> read >> optimize >> allocate >> generate >> collect >> measure >> check >> report
    report >> finish
