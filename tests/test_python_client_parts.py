"""Parts of the client that need no runs; tests/test_python_client.py reads runs."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
import python_package  # noqa: F401
from metaflow.client import MetaflowCode, MetaflowData, Trigger
from metaflow.client.settings import metadata
from metaflow.exception import MetaflowNotFound, NotAvailableException


def packed(path, members):
    """A code package with these members, by name and text."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    path.write_bytes(content.getvalue())
    return content.getvalue()


INFO = {"script": "flow.py", "user": "demo"}
OFFICIAL = {
    ".mf_meta/INFO": json.dumps(INFO),
    ".mf_code/flow.py": "the flow",
    ".mf_code/lib/more.py": "more",
    "metaflow/__init__.py": "not the flow's",
}
FLAT = {".mf_meta/INFO": json.dumps(INFO), ".mf_install": "{}", "flow.py": "the flow", "lib/more.py": "more"}


def code_at(path):
    return MetaflowCode("Flow", json.dumps({"location": str(path), "sha": "x", "ds_type": "local"}))


def files_below(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.mark.parametrize("members", [OFFICIAL, FLAT])
def test_a_code_package_is_read(tmp_path, members):
    packed(tmp_path / "package", members)
    code = code_at(tmp_path / "package")
    assert (code.path, code.info, code.script_name) == (str(tmp_path / "package"), INFO, "flow.py")
    assert code.flowspec == "the flow"
    assert sorted(code.tarball.getnames()) == sorted(members)
    with code.extract() as folder:
        assert files_below(folder) == {"flow.py": "the flow", "lib/more.py": "more"}


def test_a_code_package_may_be_stored_as_a_blob(tmp_path):
    path = tmp_path / "package"
    path.write_bytes(gzip.compress(packed(path, FLAT)))
    assert code_at(path).flowspec == "the flow"


def test_a_code_package_writes_nothing_outside_of_its_folder(tmp_path):
    packed(tmp_path / "package", {**FLAT, "../outside.py": "bad", "a/../../outside.py": "bad"})
    with code_at(tmp_path / "package").extract() as folder:
        assert sorted(files_below(folder)) == ["flow.py", "lib/more.py"]
        assert not (Path(folder).parent / "outside.py").exists()


def test_a_code_package_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(MetaflowNotFound, match="nowhere"):
        code_at(tmp_path / "nowhere")
    (tmp_path / "package").write_bytes(b"no archive")
    with pytest.raises(MetaflowNotFound, match="cannot be read"):
        code_at(tmp_path / "package")


def test_a_trigger_has_its_events_newest_first():
    listed = [
        {"name": "old", "id": "1", "timestamp": "100"},
        {"name": "new", "id": "2", "timestamp": 200, "type": "event"},
    ]
    trigger = Trigger(json.dumps(listed))
    assert [event.name for event in trigger] == ["new", "old"]
    assert (trigger.event.id, trigger["old"].id, "old" in trigger, "none" in trigger) == ("2", "1", True, False)
    assert (trigger.run, trigger.runs) == (None, [])
    with pytest.raises(KeyError):
        trigger["none"]


def test_data_of_a_task_can_be_copied_without_loading_it():
    data = MetaflowData([])
    assert ("x" in data, hasattr(data, "__deepcopy__"), hasattr(data, "x")) == (False, False, False)
    assert repr(data) == "<MetaflowData: >"


def test_a_service_is_not_there_yet():
    for setting in ("service@http://x", "http://x"):
        with pytest.raises(NotAvailableException, match="name a folder"):
            metadata(setting)
