"""Alerts fire when they have to, and only then; each says what to do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from deploy.prometheus.write import OBJECT, as_object
from tests.deploy.alerts import PROMETHEUS, TESTS, needs, read, rules
from tests.docs import ROOT

ALERTMANAGER = PROMETHEUS / "alertmanager.yml"
RULES = {rule["alert"]: rule for rule in rules()}
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
OF_THE_SOURCE = {
    "AirflowSchedulerDown": ("== 0", "2m"),
    "ViralLearningEngagementCritical": ("< 0.03", "15m"),
    "AirflowOperatorPerformanceDegraded": ("> 5", "10m"),
    "AirflowTaskFailureRate": ("> 0.1", "5m"),
    "ViralLearningCostHigh": ("> 0.015", "30m"),
    "ConnectionPoolUtilizationHigh": ("> 0.8", "5m"),
}


def said(*command: str | Path) -> str:
    """Return what a program says that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROMETHEUS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs("promtool", "prometheus")
def test_prometheus_accepts_its_configuration_and_all_rules():
    printed = said("promtool", "check", "config", "prometheus.yml")

    assert sum(int(x) for x in re.findall(r"SUCCESS: (\d+) rules found", printed)) == len(RULES)


def test_the_operator_s_object_has_the_same_alerts():
    assert read(OBJECT) == as_object(), "write it: python -m deploy.prometheus.write"


@needs("promtool", "prometheus")
@pytest.mark.parametrize("path", TESTS, ids=lambda x: x.name)
def test_each_alert_fires_when_it_has_to_and_only_then(path: Path):
    said("promtool", "test", "rules", path)


def test_each_alert_is_tested_where_it_fires_and_where_it_does_not():
    tried = {
        (case["alertname"], bool(case["exp_alerts"]))
        for path in TESTS
        for test in read(path)["tests"]
        for case in test["alert_rule_test"]
    }

    assert tried == {(name, fires) for name in RULES for fires in (True, False)}


@pytest.mark.parametrize("alert", OF_THE_SOURCE)
def test_the_source_s_alerts_have_its_thresholds(alert):
    threshold, lasting = OF_THE_SOURCE[alert]

    assert RULES[alert]["expr"].strip().endswith(threshold)
    assert RULES[alert]["for"] == lasting


@pytest.mark.parametrize("alert", RULES)
def test_each_alert_has_a_severity_a_description_and_its_section_of_the_runbook(alert):
    rule = RULES[alert]

    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{alert.lower()}"
    listed = re.search(rf"(?m)^\| {rule['labels']['severity']} \| (.*)", RUNBOOK)
    assert listed and f"[{alert}](#{alert.lower()})" in listed[1]
    assert f"\n### {alert}\n" in RUNBOOK


def test_each_section_of_the_runbook_answers_the_same_questions():
    sections = dict(re.findall(r"(?ms)^### (\w+)\n(.*?)(?=^##|\Z)", RUNBOOK))

    assert set(sections) == set(RULES)
    for name, text in sections.items():
        asked = re.findall(r"(?m)^\*\*(\w+)\.\*\* \S", text)
        assert asked == ["Means", "Look", "Do", "Lost"], name


@needs("amtool", "prometheus-alertmanager")
def test_alertmanager_accepts_its_configuration():
    said("amtool", "check-config", ALERTMANAGER)


@needs("amtool", "prometheus-alertmanager")
@pytest.mark.parametrize(("severity", "receiver"), [("critical", "now"), ("warning", "morning")])
def test_what_is_critical_is_sent_at_once_and_a_warning_in_the_morning(severity, receiver):
    test = ("config", "routes", "test", f"--config.file={ALERTMANAGER}", f"severity={severity}")

    assert said("amtool", *test).split() == [receiver]


def test_alertmanager_reads_secrets_from_files_alone():
    for name, value in read(ALERTMANAGER)["global"].items():
        if re.search("url|password", name):
            assert name.endswith("_file") and value.startswith("/etc/alertmanager/secrets/")


def test_what_alertmanager_inhibits_are_alerts_of_ours():
    for rule in read(ALERTMANAGER)["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            named = re.fullmatch(r'alertname (?:=|=~) "?([\w|]+)"?', matcher)
            assert named and set(named[1].split("|")) <= set(RULES)
