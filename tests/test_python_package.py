"""The package as a whole: what it exports, what importing it costs, and its types."""

import os
import re
import subprocess

import pytest
from conftest import BUILD, PACKAGE_FOLDER, SYSTEM_PYTHON, judge

FLOW_NAMES = (
    "FlowSpec step Parameter JSONType JSONTypeClass IncludeFile current retry catch timeout environment resources secrets "
    "parallel pytorch_parallel card conda pypi batch kubernetes conda_base pypi_base project schedule trigger "
    "trigger_on_finish exit_hook airflow_external_task_sensor airflow_s3_key_sensor profile parallel_map "
    "parallel_imap_unordered Deployer DeployedFlow NBDeployer S3 namespaced_event_name cards __version__"
)
MODULES = (
    "cards exception plugins metaflow_config integrations datatools parameters includefile flowspec unbounded_foreach"
)


def python(code: str, **variables) -> str:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_FOLDER), "METAFLOW_LIBRARY": str(BUILD / "libmetaflow.so")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    said = subprocess.run(
        [SYSTEM_PYTHON, "-c", code], env={**environment, **variables}, capture_output=True, text=True, timeout=60
    )
    return said.stdout + said.stderr


def test_names_that_flows_import_are_there():
    names = ", ".join(FLOW_NAMES.split())
    modules = "; ".join(f"import metaflow.{name}" for name in MODULES.split())
    assert python(f"from metaflow import {names}; {modules}; print('fine')") == "fine\n"


def test_importing_the_package_loads_nothing_else():
    before = "import sys, importlib; known = set(sys.modules)"
    said = python(f"{before}; import metaflow; print(sorted(set(sys.modules) - known))")
    assert said == "['__future__', 'metaflow']\n"


@pytest.mark.parametrize(
    "use",
    [
        "from metaflow import Deployer; Deployer('flow.py')",
        "from metaflow import S3; S3(run=None)",
        "from metaflow import DeployedFlow; DeployedFlow.from_deployment('x')",
        "from metaflow import namespaced_event_name; namespaced_event_name('x')",
        "from metaflow.integrations import ArgoEvent; ArgoEvent('x').publish()",
        "from metaflow.datatools import S3; S3()",
    ],
)
def test_what_is_not_there_says_so_when_it_is_used(use):
    said = python(use)
    assert "NotAvailableException" in said and "is not available in this version" in said


def test_without_its_engine_the_package_says_what_to_do(tmp_path):
    said = python("import metaflow; metaflow.__version__", METAFLOW_LIBRARY=str(tmp_path / "nothing.so"))
    assert "METAFLOW_LIBRARY" in said and "nothing.so" in said


def test_a_library_that_is_no_engine_is_refused():
    import _ctypes

    said = python("import metaflow; metaflow.__version__", METAFLOW_LIBRARY=_ctypes.__file__)
    assert "cannot be used" in said


def test_an_engine_of_another_version_is_refused_in_one_sentence(tmp_path):
    def with_engine(*declarations):
        source, library = tmp_path / "engine.c", tmp_path / "libmetaflow.so"
        source.write_text("\n".join(declarations))
        subprocess.run(["cc", "-shared", "-fPIC", source, "-o", library], check=True, timeout=60)
        return python("import metaflow; metaflow.__version__", METAFLOW_LIBRARY=str(library)).splitlines()[-1]

    older = with_engine("int metaflow_abi_version(void) { return 1000; }")
    assert re.search(
        r"libmetaflow.so has interface 1\.0, but this package needs 1\.\d+\. Install both from one version", older
    )
    other = with_engine("int metaflow_abi_version(void) { return 2000; }")
    assert "has interface 2.0" in other
    partial = with_engine("int metaflow_abi_version(void) { return 1999; }", "void metaflow_flow_new(void) {}")
    assert re.search(r"libmetaflow.so has no metaflow_\w+, which this package needs\. Install both", partial)


def test_settings_are_attributes_of_a_module(tmp_path):
    code = "from metaflow.metaflow_config import DATATOOLS_S3ROOT, TEMPDIR, DEFAULT_DATASTORE as d; print(DATATOOLS_S3ROOT, TEMPDIR, d)"
    (tmp_path / "config.json").write_text('{"METAFLOW_TEMPDIR": "/var/tmp"}')
    said = python(code, METAFLOW_DATATOOLS_S3ROOT="s3://here", METAFLOW_HOME=str(tmp_path))
    assert said == "s3://here /var/tmp local\n"


def test_the_package_is_typed_throughout(tmp_path):
    command = [judge(), "-m", "mypy", "--strict", "--no-site-packages", "--cache-dir", tmp_path, "metaflow"]
    said = subprocess.run(command, cwd=PACKAGE_FOLDER, capture_output=True, text=True, timeout=600)
    assert said.returncode == 0, said.stdout
