"""The storage server of the tests answers, and is gone afterwards."""

import pytest
from azure.core.exceptions import AzureError

from novade_pipeline_tests import azurite as azurite_module
from novade_pipeline_tests.azurite import Azurite, running_azurite


def test_containers_are_a_tests_own(azurite: Azurite) -> None:
    one, other = azurite.new_container(), azurite.new_container()
    with azurite.blobs() as blobs:
        blobs.get_blob_client(one, "a/b.txt").upload_blob(b"words")
        assert blobs.get_blob_client(one, "a/b.txt").download_blob().readall() == b"words"
        assert list(blobs.get_container_client(other).list_blobs()) == []


def test_it_is_gone_when_the_block_ends() -> None:
    with running_azurite() as server:
        server.new_container()
    with pytest.raises(AzureError), server.blobs() as blobs:
        blobs.get_service_properties(retry_total=0)


def test_without_its_program_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azurite_module, "PROGRAM", azurite_module.INSTALLED / "nothing.js")
    with pytest.raises(RuntimeError, match="run `make azurite-setup`"), running_azurite():
        pass


def test_a_port_in_use_is_reported(azurite: Azurite) -> None:
    port = int(azurite.blob_url.split(":")[2].split("/")[0])
    with pytest.raises(RuntimeError, match="EADDRINUSE"), running_azurite(ports=(port, 0, 0)):
        pass
