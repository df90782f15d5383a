"""The code package that a run was started from."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, List, Optional, Tuple

from ..exception import MetaflowNotFound

_GZIP_MAGIC = b"\x1f\x8b"
_INFO_NAMES = (".mf_meta/INFO", "INFO")
_OWN_CODE = ".mf_code/"  #: where official packages keep what is the flow's
_NOT_CODE = (".mf_", "INFO", "CONFIG", "DIST_INFO", "metaflow/", "metaflow_extensions/")


class MetaflowCode:
    """A code package, read when this is made; MetaflowNotFound when it cannot be."""

    def __init__(self, flow_name: str, description: Any) -> None:
        described = json.loads(description) if isinstance(description, str) else description
        self._flow_name = flow_name
        self._path: str = described["location"]
        self._archive = self._read()
        self._info: Dict[str, Any] = self._read_info()

    @property
    def path(self) -> str:
        """Where it is stored."""
        return self._path

    @property
    def info(self) -> Dict[str, Any]:
        """Who made it, and where."""
        return self._info

    @property
    def script_name(self) -> str:
        """Name of the file that defines the flow."""
        return str(self._info["script"])

    @property
    def flowspec(self) -> str:
        """The text of that file."""
        for prefix in (_OWN_CODE, ""):
            content = self._content(prefix + self.script_name)
            if content is not None:
                return content.decode()
        raise MetaflowNotFound(f"The code package '{self._path}' has no file '{self.script_name}'.")

    @property
    def tarball(self) -> tarfile.TarFile:
        """The package itself."""
        return tarfile.open(fileobj=io.BytesIO(self._archive), mode="r:gz")

    def extract(self) -> "TemporaryDirectory[str]":
        """A temporary folder with the flow's own files, removed with the object."""
        folder = TemporaryDirectory()
        with self.tarball as archive:
            for member, name in self._own_files(archive):
                source = archive.extractfile(member)
                target = Path(folder.name) / name
                if source is None or ".." in target.parts or name.startswith("/"):
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read())
        return folder

    def __repr__(self) -> str:
        return f"<MetaflowCode: {self.script_name}>"

    @staticmethod
    def _own_files(archive: tarfile.TarFile) -> List[Tuple[tarfile.TarInfo, str]]:
        members = [member for member in archive.getmembers() if member.isfile()]
        own = [(member, member.name[len(_OWN_CODE) :]) for member in members if member.name.startswith(_OWN_CODE)]
        return own or [(member, member.name) for member in members if not member.name.startswith(_NOT_CODE)]

    def _read(self) -> bytes:
        """The archive, a gzip file, which is stored as it is or within another gzip file."""
        try:
            stored = Path(self._path).read_bytes()
            unpacked = gzip.decompress(stored)
        except (OSError, EOFError) as error:
            raise MetaflowNotFound(f"The code package '{self._path}' cannot be read: {error}.") from None
        return unpacked if unpacked.startswith(_GZIP_MAGIC) else stored

    def _read_info(self) -> Dict[str, Any]:
        for name in _INFO_NAMES:
            content = self._content(name)
            if content is not None:
                info: Dict[str, Any] = json.loads(content)
                return info
        raise MetaflowNotFound(f"The code package '{self._path}' says nothing about itself.")

    def _content(self, name: str) -> Optional[bytes]:
        with self.tarball as archive:
            try:
                file = archive.extractfile(name)
            except KeyError:
                return None
            return file.read() if file else None
