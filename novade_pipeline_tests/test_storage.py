"""From a URL to what each library needs."""

from pathlib import Path

import pytest

from novade_pipeline.storage import Store, store


def test_a_folder_and_its_url_are_the_same_store(tmp_path: Path) -> None:
    assert store(str(tmp_path)) == store(tmp_path.as_uri())
    assert store(str(tmp_path)).path() == str(tmp_path)


def test_a_relative_folder_is_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert store("data/lake").url == (tmp_path / "data" / "lake").as_uri()


@pytest.mark.parametrize("name", ["a b", "100%", "é", "a#b", "a?b", "it's", "%20", "a+b", "ü/x"])
def test_any_name_leads_to_its_file(name: str, tmp_path: Path) -> None:
    root = store(str(tmp_path / name))
    path = Path(root.path(name, "file"))
    path.parent.mkdir(parents=True)
    path.write_text("here")
    assert path == tmp_path / name / name / "file"
    assert root.filesystem().cat_file(root.path(name, "file")) == b"here"
    assert store(root.url) == root


def test_a_child_is_below_the_root() -> None:
    root = Store("file:///lake")
    assert root.child("a", "b c") == "file:///lake/a/b%20c"
    assert root.path("a", "b c") == "/lake/a/b c"


@pytest.mark.parametrize("part", ["", "/etc", "..", "a/../../b", "../x"])
def test_a_part_that_climbs_out_of_the_root_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="is not a path below file:///lake"):
        Store("file:///lake").child("a", part)


@pytest.mark.parametrize("url", ["s3://bucket/x", "http://host/x", "gs://b", "abc://"])
def test_a_scheme_that_is_not_supported_is_named(url: str) -> None:
    with pytest.raises(ValueError, match=f"found {url.split(':')[0]}://"):
        store(url)


@pytest.mark.parametrize("url", ["", "file://"])
def test_an_empty_path_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected a folder, found an empty path"):
        store(url)


def test_options_are_not_shown() -> None:
    assert "hunter2" not in repr(Store("file:///lake", {"account_key": "hunter2"}))
