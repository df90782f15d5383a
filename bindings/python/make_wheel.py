#!/usr/bin/env python3
"""Makes the wheel of a folder that `cmake --install` laid down: make_wheel.py FOLDER TARGET_FOLDER; prints its name.

A wheel is a zip file with three small files of metadata. Writing it here takes no build backend, which would have to be
downloaded and told about files that CMake made; the same input gives the same bytes; and the platform is what the engine was
really linked against. Meant for `./dev wheel`.
"""

import base64
import hashlib
import platform
import re
import sys
import zipfile
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DISTRIBUTION = "metaflow_cpp"
EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip file can say

METADATA = """\
Metadata-Version: 2.1
Name: metaflow-cpp
Version: {version}
Summary: Metaflow on a native engine: flows in Python run unchanged, and a task costs a fork instead of an interpreter
License: Apache-2.0
Requires-Python: >=3.8
Classifier: Development Status :: 3 - Alpha
Classifier: Intended Audience :: Science/Research
Classifier: License :: OSI Approved :: Apache Software License
Classifier: Operating System :: POSIX :: Linux
Classifier: Programming Language :: C++
Classifier: Programming Language :: Python :: 3
Classifier: Typing :: Typed
Description-Content-Type: text/markdown

The Python package `metaflow`, made anew on an engine in C++. It takes the place of the official package in an environment:
the same flows, the same files, none of its code.
"""

WHEEL = """\
Wheel-Version: 1.0
Generator: metaflow-cpp make_wheel.py
Root-Is-Purelib: false
Tag: {tag}
"""

ENTRY_POINTS = """\
[console_scripts]
metaflow = metaflow.__main__:main
"""


def engine_version() -> str:
    """Such as 2.19.38+cpp.0.1.0, which is a version with a local part as Python writes it, too."""
    header = (REPOSITORY / "src/base/version.hpp").read_text(encoding="utf-8")
    found = re.search(r' version = "(.+)"', header)
    assert found, "src/base/version.hpp names no version"
    return found[1]


def platform_of(binaries: Iterable[bytes]) -> str:
    """The oldest Linux that has all of the C library these programs ask for: manylinux_2_34_x86_64."""
    minors = [int(minor) for binary in binaries for minor in re.findall(rb"\0GLIBC_2\.(\d+)(?:\.\d+)?(?=\0)", binary)]
    if not minors:
        sys.exit("make_wheel: nothing here is linked against the GNU C library, the only one there are wheels for")
    return f"manylinux_2_{max(minors)}_{platform.machine()}"


def read_tree(folder: Path) -> Dict[str, Tuple[bytes, int]]:
    """Content and mode of every file, by its name in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode) for path in files}


def record_line(name: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}"


def write_zip(path: Path, files: List[Tuple[str, bytes, int]]) -> None:
    """All of the zip file or none; times are left out, so that the same files give the same bytes."""
    draft = path.with_name(path.name + ".draft")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in files:
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if mode & 0o100 else 0o100644) << 16
            archive.writestr(entry, content)
    draft.replace(path)


def make_wheel(folder: Path, target: Path) -> Path:
    version = engine_version()
    tree = read_tree(folder)
    platform_tag = platform_of(content for content, _ in tree.values() if content.startswith(b"\x7fELF"))
    tag = f"py3-none-{platform_tag}"
    info = f"{DISTRIBUTION}-{version}.dist-info"

    files = [(name, *tree[name]) for name in tree if not name.startswith("licenses/")]
    files += [(f"{info}/{name}", *tree[name]) for name in tree if name.startswith("licenses/")]
    texts = {
        "METADATA": METADATA.format(version=version),
        "WHEEL": WHEEL.format(tag=tag),
        "entry_points.txt": ENTRY_POINTS,
    }
    files += [(f"{info}/{name}", text.encode(), 0o644) for name, text in texts.items()]
    record = [record_line(name, content) for name, content, _ in files] + [f"{info}/RECORD,,"]
    files.append((f"{info}/RECORD", ("\n".join(record) + "\n").encode(), 0o644))

    target.mkdir(parents=True, exist_ok=True)
    wheel = target / f"{DISTRIBUTION}-{version}-{tag}.whl"
    write_zip(wheel, files)
    return wheel


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: make_wheel.py FOLDER TARGET_FOLDER")
    print(make_wheel(Path(sys.argv[1]), Path(sys.argv[2])))
