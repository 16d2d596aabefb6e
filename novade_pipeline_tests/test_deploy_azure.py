"""What can be known of the templates for Azure without their compiler and a subscription."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from azure.mgmt.appcontainers import models
from pycep import BicepParser

from novade_pipeline.settings import load_settings

DEPLOY = Path(__file__).parents[1] / "deploy"
BICEP = sorted((DEPLOY / "azure").glob("*.bicep"))

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES = {
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "f1a07417-d97a-45cb-824c-7a7467783830": "Managed Identity Operator",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "db58b8e5-c6ad-4a2a-8342-4190687cbf4a": "Storage Blob Delegator",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a": "Storage Queue Data Message Sender",
}


@cache
def parsed(name: str) -> Mapping[str, Any]:
    """A Bicep file as its parser sees it; it does not tell a name from a text."""
    return BicepParser().parse(file_path=DEPLOY / "azure" / name)


def resources(kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The resources of a type that are made, as `file.name` and what they are made of."""
    for file in BICEP:
        for name, resource in parsed(file.name).get("resources", {}).items():
            if resource["type"] == kind and not resource["existing"]:
                yield f"{file.stem}.{name}", _body(resource)


def _body(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a resource or module is made of, whether it stands behind an `if` or not."""
    config: Mapping[str, Any] = part["config"]
    return config["config"] if "condition" in config else config


@pytest.mark.parametrize("file", BICEP, ids=lambda path: path.name)
def test_a_bicep_file_is_well_formed(file: Path) -> None:
    assert parsed(file.name)["resources"]


@pytest.mark.parametrize("file", BICEP, ids=lambda path: path.name)
def test_every_name_in_a_bicep_file_means_something(file: Path) -> None:
    template = parsed(file.name)
    known = {name for part in ("parameters", "variables", "resources", "modules")
             for name in template.get(part, {})}  # fmt: skip
    code = re.sub(r"^\s*//.*|@description\(.*\)", "", file.read_text(), flags=re.MULTILINE)
    code = re.sub(r"'(?:[^'$]|\$\{[^}]*\})*'", _inner_names, code)
    used = set(re.findall(r"(?<![\w.'])([a-z]\w*)\.(?=\w)", code))
    loops = set(re.findall(r"for (\w+) in|(\w+) =>", code))
    assert used - known - {name for pair in loops for name in pair} == set()
    unused = {
        name for name in template.get("parameters", {}) if len(re.findall(rf"\b{name}\b", code)) < 2
    }
    assert unused == set()


def _inner_names(text: re.Match[str]) -> str:
    return " ".join(re.findall(r"\$\{([^}]*)\}", text.group()))


def test_modules_get_their_parameters_and_have_the_outputs_that_are_used() -> None:
    main = parsed("main.bicep")
    text = (DEPLOY / "azure/main.bicep").read_text()
    for name, module in main["modules"].items():
        outer = parsed(module["detail"]["path"])
        needed = {key for key, value in outer["parameters"].items() if value["default"] is None}
        given = _body(module)["params"].keys()
        assert needed <= given <= outer["parameters"].keys(), name
        used = set(re.findall(rf"\b{name}\.outputs\.(\w+)", text))
        assert used <= outer.get("outputs", {}).keys(), name


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("Microsoft.App/managedEnvironments", "ManagedEnvironment"),
        ("Microsoft.App/managedEnvironments/storages", "ManagedEnvironmentStorage"),
        ("Microsoft.App/containerApps", "ContainerApp"),
        ("Microsoft.App/containerApps/authConfigs", "AuthConfig"),
        ("Microsoft.App/jobs", "Job"),
    ],
)
def test_container_apps_have_only_properties_that_azure_knows(kind: str, model: str) -> None:
    bodies = dict(resources(kind))
    assert bodies
    for name, body in bodies.items():
        shown = {key: value for key, value in body.items() if key not in ("name", "parent")}
        assert list(_unknown(shown, model, name)) == []


def _unknown(body: Any, model: str, place: str) -> Iterator[str]:
    """Properties that the SDK's model of the resource has no name for."""
    if not isinstance(body, dict) or body.keys() & {"function", "operator"}:
        return
    fields = {f["key"]: f["type"] for f in getattr(models, model)._attribute_map.values()}
    for key, value in body.items():
        if key in fields:
            kind = fields[key].strip("[]{}")
            for item in value if isinstance(value, list) else [value]:
                if hasattr(models, kind) and not fields[key].startswith("{"):
                    yield from _unknown(item, kind, f"{place}.{key}")
        elif key == "properties" and any(name.startswith("properties.") for name in fields):
            for inner, item in value.items():
                if f"properties.{inner}" not in fields:
                    yield f"{place}.properties.{inner}"
                elif hasattr(models, kind := fields[f"properties.{inner}"].strip("[]{}")):
                    for one in item if isinstance(item, list) else [item]:
                        yield from _unknown(one, kind, f"{place}.{inner}")
        else:
            yield f"{place}.{key}"


def test_no_account_and_no_server_has_a_key_or_a_password() -> None:
    for name, body in resources("Microsoft.Storage/storageAccounts"):
        assert body["properties"]["allowSharedKeyAccess"] is False, name
        assert body["properties"]["allowBlobPublicAccess"] is False, name
        assert body["properties"]["networkAcls"]["defaultAction"] == "Deny", name
    ((_, server),) = resources("Microsoft.DBforPostgreSQL/flexibleServers")
    assert server["properties"]["authConfig"]["passwordAuth"] == "Disabled"
    ((_, registry),) = resources("Microsoft.ContainerRegistry/registries")
    assert registry["properties"]["adminUserEnabled"] is False
    ((_, vault),) = resources("Microsoft.KeyVault/vaults")
    assert vault["properties"]["enableRbacAuthorization"] is True
    for file in BICEP:
        assert not re.search(r"\blist(Keys|Secrets|AccountSas)?\(|sharedKey:", file.read_text())


def test_rights_are_a_managed_identitys_only() -> None:
    assigned = dict(resources("Microsoft.Authorization/roleAssignments"))
    assert len(assigned) == 12
    for name, body in assigned.items():
        assert body["properties"]["principalType"] == "ServicePrincipal", name
        assert re.search(r"'operand_1': '(identity|topic)'", str(body["properties"])), name
    text = "\n".join(file.read_text() for file in BICEP)
    ids = set(re.findall(r"'([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})'", text))
    assert ids == ROLES.keys()


@pytest.mark.parametrize(
    ("scope", "role"),
    [
        ("lake", "storageBlobDataContributor"),
        ("landing", "storageBlobDataReader"),
        ("landed", "storageQueueDataContributor"),
        ("poison", "storageQueueDataMessageSender"),
        ("vault", "keyVaultSecretsUser"),
        ("registry", "acrPull"),
    ],
)
def test_the_graph_may_do_what_it_must_and_no_more(scope: str, role: str) -> None:
    template = parsed("access.bicep")
    given = [
        re.search(r"'resource_name_1': .*?'operand_2': '(\w+)'", str(body))
        for name, body in resources("Microsoft.Authorization/roleAssignments")
        if name.startswith("access.") and body.get("scope") == scope
    ]
    assert [match.group(1) for match in given if match] == [role]
    roles = template["variables"]["roles"]["value"]
    assert ROLES[roles[role]].replace(" ", "").lower() == role.lower()


def test_the_lake_has_a_hierarchical_namespace_and_the_events_their_queue() -> None:
    accounts = dict(resources("Microsoft.Storage/storageAccounts"))
    assert accounts["storage.account"]["properties"]["isHnsEnabled"] is True
    ((_, events),) = resources("Microsoft.EventGrid/systemTopics/eventSubscriptions")
    target = events["properties"]["deliveryWithResourceIdentity"]["destination"]["properties"]
    text = (DEPLOY / "azure/storage.bicep").read_text()
    queue = target["queueName"]
    assert f"'{queue}'" in text
    assert f"'{queue}-poison'" in text
    assert f"/{queue}'" in (DEPLOY / "azure/apps.bicep").read_text()
    assert "FlushWithClose" in str(events["properties"]["filter"])


def test_the_graph_takes_the_settings_of_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"accountName": "account", "storageSuffix": "core.windows.net", "name": "novade"}
    text = (DEPLOY / "azure/apps.bicep").read_text()
    for name, value in re.findall(r"^  (NOVADE_\w+): '(.*)'$", text, re.MULTILINE):
        used = re.sub(r"\$\{([^}]*)\}", lambda match: known.get(match.group(1), "text"), value)
        monkeypatch.setenv(name, used)
    settings = load_settings()
    assert settings.lake_url == "abfss://lake@account.dfs.core.windows.net/novade"
    assert settings.landing_url == "abfss://landing@account.dfs.core.windows.net/"


def test_dagster_finds_every_variable_that_it_reads() -> None:
    outer = set(re.findall(r"env: (\w+)", (DEPLOY / "dagster.azure.yaml").read_text()))
    used = set(re.findall(r"^  ([A-Z_]+):", (DEPLOY / "azure/apps.bicep").read_text(), re.M))
    assert outer - used == set()
