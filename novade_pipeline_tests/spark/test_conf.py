"""The configuration of a session, as plain data."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.graph.spark_sessions import SparkSettings, spark_options
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline.spark import session
from novade_pipeline.spark.conf import REDACTED, SparkOptions, session_conf
from novade_pipeline.spark.jars import missing_jars, packages_conf
from novade_pipeline.spark.session import java_problem, start_failure


def test_a_local_master_runs_failed_items_again() -> None:
    masters = ["local[*]", "local[2]", "local", "local[2,1]", "spark://host:7077"]
    assert [session_conf(SparkOptions(master=master))["spark.master"] for master in masters] == [
        *("local[*,4]", "local[2,4]", "local[1,4]", "local[2,1]", "spark://host:7077")
    ]


def test_a_session_is_in_utc_without_deletion_vectors_and_what_a_user_sets_wins() -> None:
    own = session_conf(SparkOptions(memory=3 * 2**30, conf={"spark.app.name": "mine"}))
    assert own["spark.sql.session.timeZone"] == "UTC"
    assert own["spark.databricks.delta.properties.defaults.enableDeletionVectors"] == "false"
    assert (own["spark.driver.memory"], own["spark.app.name"]) == ("3072m", "mine")
    remote = session_conf(SparkOptions(remote="sc://host:15002"))
    assert remote["spark.remote"] == "sc://host:15002"
    assert "spark.master" not in remote


def test_what_is_redacted_covers_every_secret_of_the_settings() -> None:
    secrets = {name for name, (value, *_) in load_settings().masked().items() if _is_secret(name)}
    assert len(secrets) > 8
    assert [name for name in sorted(secrets) if not re.search(REDACTED, name)] == []
    for name in (
        "sasl.password",
        "kafka.sasl.jaas.config",
        "fs.azure.account.key.x",
        "client.secret",
    ):
        assert re.search(REDACTED, name)


def _is_secret(variable: str) -> bool:
    from pydantic import SecretStr

    from novade_pipeline.graph.domains import modules

    kinds = [Settings, *(module.SETTINGS for module in modules("settings"))]
    return any(
        f"{kind.model_config['env_prefix']}{name}".upper() == variable
        and SecretStr.__name__ in str(field.annotation)
        for kind in kinds
        for name, field in kind.model_fields.items()
    )


def test_packages_are_resolved_from_one_repository_into_a_folder_of_the_user(
    tmp_path: Path,
) -> None:
    conf = packages_conf(["kafka", "a:b:1"], None, tmp_path / "cache")
    coordinates = conf["spark.jars.packages"].split(",")
    assert (len(coordinates), coordinates[-1]) == (5, "a:b:1")
    [resolver] = ET.parse(conf["spark.jars.ivySettings"]).getroot().findall("resolvers/*")
    assert resolver.attrib == {"name": "central", "m2compatible": "true"}
    assert conf["spark.jars.ivy"] == str(tmp_path / "cache")
    packages_conf(["kafka"], "https://mirror.example/maven?a&b", tmp_path / "cache")
    [mirror] = ET.parse(conf["spark.jars.ivySettings"]).getroot().findall("resolvers/*")
    assert mirror.attrib["root"] == "https://mirror.example/maven?a&b/"
    assert packages_conf([], None, tmp_path / "other") == {}
    assert not (tmp_path / "other").exists()
    assert len(missing_jars(["kafka"], tmp_path)) == 4


def test_settings_say_where_spark_runs() -> None:
    settings = load_settings(
        spark_master="local[1]", spark_packages="kafka, a:b:1", spark_conf='{"spark.a": "b"}'
    )
    options = spark_options(settings)
    assert (options.master, options.packages, options.conf) == (
        *("local[1]", ("kafka", "a:b:1"), {"spark.a": "b"}),
    )
    assert settings.of(SparkSettings).remote is None


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("spark_conf", "{", "expected a JSON object of texts"),
        ("spark_conf", '{"a": 1}', "expected a JSON object of texts"),
        ("spark_remote", "http://host", "expected the address of a Spark Connect server"),
    ],
)
def test_a_wrong_setting_is_one_sentence(setting: str, value: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        load_settings(**{setting: value})


def test_no_java_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert java_problem() is None
    monkeypatch.setenv("PATH", "/usr/bin:/bin" if not Path("/usr/bin/java").exists() else "/bin2")
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    assert java_problem() == (
        "Spark: expected Java 17 or newer, found none; install one (for example Debian's "
        "default-jre-headless) or set JAVA_HOME. What needs no Spark works without."
    )
    failure = start_failure(RuntimeError("[JAVA_GATEWAY_EXITED] …"), packages=True)
    assert isinstance(failure, UserError)


def test_other_failures_of_a_start_name_their_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "java_problem", lambda: None)
    failed = RuntimeError("[JAVA_GATEWAY_EXITED] …")
    assert "NOVADE_SPARK_REPOSITORY" in str(start_failure(failed, packages=True))
    unknown = start_failure(RuntimeError("no route\nat java.x"), packages=False)
    assert isinstance(unknown, TransientFailure)
    assert str(unknown) == "Spark: expected a session, found RuntimeError: no route"
