"""Files as parameters: content is stored once, by its digest, and read where a step asks for it."""

from __future__ import annotations

import importlib
from typing import Any, Callable, Dict, Optional, Union

from .exception import MetaflowException
from .parameters import Parameter, ParameterContext

Content = Union[str, bytes]


class IncludedFile:
    """What is stored for an include file: where its content lies, and how to read it."""

    def __init__(self, descriptor: Optional[Dict[str, Any]] = None) -> None:
        self._descriptor: Dict[str, Any] = descriptor or {}
        self._cached_size: Optional[int] = None

    @property
    def descriptor(self) -> Dict[str, Any]:
        return self._descriptor

    @property
    def size(self) -> Optional[int]:
        """Of the content, in bytes."""
        return self._descriptor.get("size", self._cached_size)

    def decode(self, content: bytes) -> Content:
        """Stored bytes as a step sees them: str, or bytes when the file is no text."""
        if not self._descriptor.get("is_text", True):
            return bytes(content)
        return str(content, self._descriptor.get("encoding") or "utf-8")

    def __repr__(self) -> str:
        return f"IncludedFile({self._descriptor.get('url', '')!r})"


class IncludeFile(Parameter):
    """`x = IncludeFile("x", default="data.csv")`: the value is a path when the run starts, and in steps the content of the file.

    `parser` is a function, or its dotted name, applied to the content on every read.
    """

    def __init__(
        self,
        name: str,
        required: Optional[bool] = None,
        is_text: Optional[bool] = None,
        encoding: Optional[str] = None,
        help: Optional[str] = None,
        parser: Union[str, Callable[[Content], Any], None] = None,
        default: Any = None,
        **kwargs: Any,
    ) -> None:
        self._is_text = True if is_text is None else bool(is_text)
        self._encoding = encoding or "utf-8"
        self._parser = parser
        super().__init__(name, default=default, required=required, help=help, **kwargs)

    def description(self, attribute: str) -> Dict[str, Any]:
        return {
            **super().description(attribute),
            "kind": "include_file",
            "type_name": "FILEPATH",
            "is_text": self._is_text and self._encoding.lower().replace("_", "-") in ("utf-8", "utf8"),
        }

    def default_value(self, context: ParameterContext) -> Any:
        default = self.default
        return self._computed(default, context) if callable(default) else default

    def value_in_task(self, stored: Any, included_file: Callable[[str], bytes]) -> Any:
        if not isinstance(stored, IncludedFile):
            return stored
        content: Any = included_file(stored.descriptor["url"])
        content = str(content, self._encoding) if self._is_text else bytes(content)
        parser = _function_of(self._parser)
        return content if parser is None else parser(content)


def _function_of(parser: Union[str, Callable[[Content], Any], None]) -> Optional[Callable[[Content], Any]]:
    if not isinstance(parser, str):
        return parser
    # A leading dot means this package, as for official's own parsers.
    name = f"metaflow{parser}" if parser.startswith(".") else parser
    module, _, function = name.rpartition(".")
    try:
        found: Callable[[Content], Any] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise MetaflowException(f"The parser '{parser}' of an include file cannot be imported: {error}") from None
    return found
