"""OTLP's requests and attribute values, of JSON and of protobuf. Values are text and numbers, lists
and objects are JSON text. What comes in may have any shape, so everything else is None."""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

import orjson
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from faultstream.core.errors import DataError
from faultstream.formats.found import items, number, text, under
from faultstream.formats.native import loads

M = TypeVar("M", bound=Message)

MOST: Final = 500
"""Attributes that are read of one owner."""
_DEEPEST: Final = 8


def request_of_json(body: bytes) -> dict[str, Any]:
    """An export request in JSON.

    Raises:
        DataError: stage `decode`; it is none.
    """
    plain = loads(body)
    if not isinstance(plain, dict):
        raise DataError("decode", "an export request must be a JSON object")
    return plain


def request_of_protobuf(body: bytes, request: M) -> M:
    """An export request in protobuf, read into `request`.

    Raises:
        DataError: stage `decode`; it is none.
    """
    try:
        request.ParseFromString(body)
    except (DecodeError, RecursionError) as exc:
        raise DataError("decode", f"no {type(request).__name__}: {exc}") from exc
    return request


def of_json(given: Any) -> dict[str, Any]:
    """Those of JSON, under their names: a list of `{key, value: {stringValue: ...}}`."""
    return {text(one.get("key")): one_of_json(one.get("value")) for one in items(given)[:MOST]}


def one_of_json(value: Any, depth: int = 0) -> Any:
    """A value of JSON's form, as text or number; lists and objects as JSON text."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return None
    for name in ("stringValue", "doubleValue", "bytesValue"):
        if name in value:
            return value[name] if isinstance(value[name], str | int | float) else None
    if "intValue" in value:
        return number(value["intValue"], -(1 << 63), 1 << 63)
    if "boolValue" in value:
        return "true" if value["boolValue"] is True else "false"
    if "arrayValue" in value:
        found = [
            one_of_json(one, depth + 1) for one in items(under(value, "arrayValue").get("values"))
        ]
        return _dumped(found)
    pairs = items(under(value, "kvlistValue").get("values"))
    return _dumped(
        {text(one.get("key")): one_of_json(one.get("value"), depth + 1) for one in pairs}
    )


def of_protobuf(given: Iterable[KeyValue]) -> dict[str, Any]:
    """Those of protobuf, under their names."""
    return {
        one.key[:512]: one_of_protobuf(one.value)
        for one, _ in zip(given, range(MOST), strict=False)
    }


def one_of_protobuf(value: AnyValue, depth: int = 0) -> Any:
    """A value of protobuf's form, as `one_of_json` has those of JSON's."""
    kind = value.WhichOneof("value")
    if kind is None or depth > _DEEPEST:
        return None
    if kind == "array_value":
        return _dumped([one_of_protobuf(one, depth + 1) for one in value.array_value.values])
    if kind == "kvlist_value":
        pairs = value.kvlist_value.values
        return _dumped({one.key: one_of_protobuf(one.value, depth + 1) for one in pairs})
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind)


def _dumped(value: Any) -> str:
    try:
        return orjson.dumps(value).decode() if value else ""
    except (TypeError, ValueError):
        return ""
