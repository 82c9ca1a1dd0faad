"""Every command, name, path and role in docker-compose.yaml, .env.example and Dockerfile is ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from psycopg.pq import Conninfo

from deploy.sbom import images
from tests.airflow.compose import (
    EXAMPLE,
    FILE,
    ROOT,
    VARIABLE,
    example_names,
    in_order,
    services_of,
    text_with,
)
from tests.airflow_home import NEEDS_AIRFLOW

pytestmark = NEEDS_AIRFLOW
VALUES = {
    name: str(18000 + n) if name.endswith("_PORT") else f"word{n}"
    for n, name in enumerate(example_names())
}
AIRFLOWS_COMMANDS = ("api-server", "scheduler", "dag-processor", "triggerer")
ELSEWHERE = {"POSTGRES_PASSWORD", "EODHD_API_TOKEN", "AIRFLOW_HOME", "AIRFLOW_CONN_HEADGATE"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return services_of(text_with(VALUES))


def environments(services: dict[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [
        (name, key, str(value))
        for name, service in services.items()
        for key, value in service.get("environment", {}).items()
    ]


def test_docker_compose_accepts_it_and_reads_the_same_commands(tmp_path: Path):
    import yaml

    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed (Debian's package docker-compose)")
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in VALUES.items()))
    further = ["--profile", "demo", "--profile", "monitoring", "--profile", "bi"]
    for profile in ([], further):
        done = subprocess.run(
            ["docker-compose", "-f", FILE, "--env-file", env_file, *profile, "config"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        theirs = yaml.safe_load(done.stdout)["services"]
        ours = services_of(text_with(VALUES))
        left_out = {name for name, x in ours.items() if "profiles" in x}
        assert set(ours) - set(theirs) <= (set() if profile else left_out)
        for name, service in theirs.items():
            for part in ("command", "environment"):
                assert service.get(part) == ours[name].get(part), name


def test_the_example_names_what_the_file_asks_for_and_holds_no_password():
    asked = {x[0] for x in VARIABLE.findall(FILE.read_text())}
    assert set(example_names()) == asked
    assert re.findall(r"^[A-Z_]+=(.+)$", EXAMPLE.read_text(), re.MULTILINE) == []
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "/.env" in ignored


def test_every_environment_name_is_one_that_somebody_reads(services: dict[str, Any]):
    from airflow.configuration import conf

    ours = "".join(
        x.read_text()
        for x in [*ROOT.glob("runner/**/*.py"), *ROOT.glob("runner/headgate/demo/eodhd/*.py")]
    )
    ours += (ROOT / "deploy/superset/serve").read_text().replace("$", "")
    libpq = {x.envvar.decode() for x in Conninfo.get_defaults() if x.envvar}
    unknown = []
    for name, key, _ in environments(services):
        if key.startswith("AIRFLOW__"):
            section, option = key.removeprefix("AIRFLOW__").lower().split("__", 1)
            is_known = option in conf.configuration_description[section]["options"]
        elif key.startswith("GF_"):
            is_known = services[name]["image"].startswith("grafana/")
        else:
            is_known = key in ELSEWHERE | libpq or f'"{key}"' in ours
        if not is_known:
            unknown.append((name, key))
    assert unknown == []


@pytest.mark.filterwarnings("default")  # typer's own, of click
def test_every_command_and_check_exists(services: dict[str, Any]):
    from headgate.cli import command_line
    from headgate.cli.panels import ENTRIES

    groups = ENTRIES
    nested: dict[str, Any] = vars(command_line.command("airflow"))["commands"]
    for name, service in services.items():
        for command in (service.get("command"), service.get("healthcheck", {}).get("test", [])[1:]):
            match command:
                case ["headgate", "airflow", sub, *_]:
                    assert sub in nested, name
                case ["headgate", sub, *_]:
                    assert sub in groups, name
                case ["airflow", sub, *_]:
                    assert sub in AIRFLOWS_COMMANDS, name
                case ["python", "-m", module, *_]:
                    assert (ROOT / "runner" / module.replace(".", "/") / "__main__.py").exists(), (
                        name
                    )
                case [program] if program.startswith("/opt/headgate/superset/"):
                    script = ROOT / "deploy" / program.removeprefix("/opt/headgate/")
                    assert os.access(script, os.X_OK), name
                case None | [] | ["pg_isready", *_] | ["python", "-c", _]:
                    pass
                case _:
                    pytest.fail(f"{name}: {command}")


def test_only_migrate_is_a_superuser_and_only_runners_have_the_token(services: dict[str, Any]):
    is_super = {name for name, _, value in environments(services) if "postgres:" in value}
    assert is_super == {"migrate"}
    knows = {n for n, key, v in environments(services) if v == VALUES["POSTGRES_PASSWORD"]}
    assert knows == {"postgres"}
    assert {n for n, key, _ in environments(services) if key == "EODHD_API_TOKEN"} == {"runner"}


def test_only_this_machine_is_published_and_data_are_in_named_volumes(services: dict[str, Any]):
    import yaml

    ports = [y for x in services.values() for y in x.get("ports", [])]
    assert ports and [x for x in ports if not str(x).startswith("127.0.0.1:")] == []
    named = yaml.safe_load(text_with(VALUES))["volumes"]
    mounted = [y.split(":") for x in services.values() for y in x.get("volumes", [])]
    assert {x[0] for x in mounted if not x[0].startswith("./")} == set(named)


def test_files_of_ours_are_mounted_where_they_are_read_and_cannot_be_written(
    services: dict[str, Any],
):
    mounted = {
        (name, volume)
        for name, service in services.items()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    }
    assert {name for name, _ in mounted} == {"prometheus", "alertmanager", "grafana"}
    for _, volume in mounted:
        ours, theirs, mode = volume.split(":")
        assert (ROOT / ours).is_dir() and mode == "ro"
        assert theirs.startswith("/etc/")


def test_what_watches_has_a_version_and_a_profile_of_its_own(services: dict[str, Any]):
    foreign = {n: x for n, x in services.items() if "/" in x["image"]}
    assert set(foreign) == {"statsd-exporter", "prometheus", "alertmanager", "grafana"}
    for service in foreign.values():
        assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", service["image"])
    watching = {n for n, x in services.items() if x.get("profiles") == ["monitoring"]}
    assert watching == {"web", *foreign}


def test_what_watches_finds_each_other_by_the_names_of_the_services(services: dict[str, Any]):
    import yaml

    deploy = ROOT / "deploy"
    config = yaml.safe_load((deploy / "prometheus" / "prometheus.yml").read_text())
    sources = yaml.safe_load(
        (deploy / "grafana" / "provisioning" / "datasources" / "headgate.yml").read_text()
    )
    scraped = [y for x in config["scrape_configs"] for y in x["static_configs"]]
    alerted = [y for x in config["alerting"]["alertmanagers"] for y in x["static_configs"]]
    addresses = [y for x in scraped + alerted for y in x["targets"]]
    addresses += [x["url"].removeprefix("http://") for x in sources["datasources"]]
    asked = {x.partition(":")[0] for x in addresses}
    assert asked - {"127.0.0.1"} <= set(services)
    assert "web" in services["web"]["command"]


def test_alerts_name_metrics_that_airflow_has():
    import airflow
    import yaml

    template = "_shared/observability/metrics/metrics_template.yaml"
    listed = yaml.safe_load((Path(airflow.__file__).parent / template).read_text())["metrics"]
    theirs = {f"airflow_{x['name']}" for x in listed}
    rules = (ROOT / "deploy" / "prometheus" / "rules" / "airflow.yml").read_text()
    assert {x for x in re.findall(r"airflow_\w+", rules)} <= theirs


def test_each_server_has_a_health_check_and_starts_after_its_dependencies(services: dict[str, Any]):
    checked = {name for name, x in services.items() if x.get("healthcheck")}
    assert checked == {"postgres", "standin", *AIRFLOWS_COMMANDS}
    order = in_order(services)
    assert order[:3] == ["postgres", "migrate", "airflow-migrate"] or order[:2] == [
        "postgres",
        "migrate",
    ]
    assert order.index("airflow-migrate") < order.index("api-server") < order.index("scheduler")
    for service in services.values():
        for needed, wanted in service.get("depends_on", {}).items():
            once = services[needed]["restart"] == "no"
            assert wanted["condition"] == (
                "service_completed_successfully" if once else "service_healthy"
            )


def test_every_setting_and_command_of_the_chart_s_values_is_one_of_airflow_s():
    import yaml
    from airflow.cli.cli_parser import get_parser
    from airflow.configuration import conf

    given = yaml.safe_load((ROOT / "deploy/airflow/values.yaml").read_text())
    for section, options in given["config"].items():
        assert set(options) <= set(conf.configuration_description[section]["options"]), section
    for container in given["apiServer"]["extraInitContainers"]:
        for name in (x["name"] for x in container["env"] if x["name"].startswith("AIRFLOW__")):
            section, option = name.removeprefix("AIRFLOW__").lower().split("__", 1)
            assert option in conf.configuration_description[section]["options"], name
        program, *command = container["args"]
        if program == "airflow":
            assert get_parser().parse_args(command)
        else:
            assert (program, command) == ("headgate", ["airflow", "prepare"])


def test_the_images_are_made_of_what_is_here(services: dict[str, Any]):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {x for image in images() for x in image.extras}
    assert extras <= set(project["optional-dependencies"])
    targets = {x["build"]["target"] for x in services.values() if "build" in x}
    assert targets == {x.name for x in images()}
