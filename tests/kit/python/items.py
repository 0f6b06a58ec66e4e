"""Reads the items of an output folder with readers that are not ours, into one plain form that can be compared.

The plain form: DynamoDB JSON with sorted names, sets in order, and numbers as exact decimals in one spelling.
"""

import base64
import csv
import decimal
import functools
import gzip
import io
import json
import pathlib

import amazon.ion.simpleion as ion
import zstandard
from amazon.ion.core import IonType
from amazon.ion.exceptions import IonException

decimal.getcontext().prec = 200


class Bad(Exception):
    """The file is not what it should be."""


def data_files(folder):
    files = sorted(path for path in (pathlib.Path(folder) / "data").iterdir() if path.is_file())
    if not files:
        raise Bad(f"{folder}: no data file")
    return files


def uncompressed(path):
    raw = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(raw)
    if path.suffix == ".zst":
        # Many frames are legal; read to the very end.
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw), read_across_frames=True).read()
    return raw


def number(text):
    value = decimal.Decimal(text)
    if not value.is_finite():
        raise Bad(f"not a number: {text}")
    return str(value.normalize()) if value else "0"


def once(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise Bad(f"a name comes twice: {names}")
    return dict(pairs)


def plain(value):
    """A value of DynamoDB JSON in the plain form."""
    if not isinstance(value, dict) or len(value) != 1:
        raise Bad(f"not a value: {value!r}")
    ((kind, content),) = value.items()
    if kind == "S" and isinstance(content, str):
        return value
    if kind == "N" and isinstance(content, str):
        return {"N": number(content)}
    if kind == "B":
        return {"B": base64.b64encode(base64.b64decode(content, validate=True)).decode()}
    if kind == "BOOL" and isinstance(content, bool):
        return value
    if kind == "NULL" and content is True:
        return value
    if kind == "L":
        return {"L": [plain(each) for each in content]}
    if kind == "M":
        return {"M": {name: plain(each) for name, each in content.items()}}
    if kind == "SS":
        return {"SS": sorted(content)}
    if kind == "NS":
        return {"NS": sorted(number(each) for each in content)}
    if kind == "BS":
        return {"BS": sorted(content)}
    raise Bad(f"not a value: {value!r}")


def plain_ion(value):
    """A value of an Ion import file in the plain form, by the type mapping of DynamoDB's documentation."""
    annotations = [annotation.text for annotation in value.ion_annotations]
    kind = value.ion_type
    if annotations:
        members = list(value)
        if annotations == ["$dynamodb_SS"]:
            return {"SS": sorted(str(member) for member in members)}
        if annotations == ["$dynamodb_NS"]:
            return {"NS": sorted(number(str(decimal_of(member))) for member in members)}
        if annotations == ["$dynamodb_BS"]:
            return {"BS": sorted(base64.b64encode(bytes(member)).decode() for member in members)}
        raise Bad(f"unknown annotation {annotations}")
    if kind == IonType.NULL:
        return {"NULL": True}
    if kind == IonType.BOOL:
        return {"BOOL": bool(value)}
    if kind == IonType.STRING:
        return {"S": str(value)}
    if kind == IonType.DECIMAL:
        return {"N": number(str(decimal_of(value)))}
    if kind == IonType.BLOB:
        return {"B": base64.b64encode(bytes(value)).decode()}
    if kind == IonType.LIST:
        return {"L": [plain_ion(each) for each in value]}
    if kind == IonType.STRUCT:
        return {"M": struct(value)}
    raise Bad(f"an Ion {kind} stands for nothing in DynamoDB: {value!r}")


def decimal_of(value):
    if value.ion_type != IonType.DECIMAL:
        raise Bad(f"a number must be an Ion decimal, this is {value.ion_type}: {value!r}")
    return value


def struct(value):
    fields = list(value.iteritems()) if hasattr(value, "iteritems") else list(value.items())
    return {name: plain_ion(each) for name, each in once(fields).items()}


@functools.cache
def ion_item(line):
    values = ion_values(line)
    if len(values) != 1 or values[0].ion_type != IonType.STRUCT or list(values[0].keys()) != ["Item"]:
        raise Bad(f"not an item: {line[:200]}")
    return struct(values[0]["Item"])


def ion_values(line):
    try:
        return ion.loads(line, single_value=False)
    except IonException as error:
        # The fast reader has a buffer that long values do not fit; the one in plain Python has none, and is slow.
        if not any(limit in str(error) for limit in ("IERR_BUFFER_TOO_SMALL", "IERR_LOOKAHEAD_OVERFLOW")):
            raise
    ion.c_ext = False
    try:
        return ion.loads(line, single_value=False)
    finally:
        ion.c_ext = True


def lines(text, path):
    # Not splitlines(): that also cuts at characters that JSON and Ion leave alone, such as U+2028.
    *whole, rest = text.decode("utf-8").split("\n")
    if rest:
        raise Bad(f"{path}: the last line has no end")
    return whole


def items(path):
    """Yields the items of a file in the plain form."""
    text = uncompressed(path)
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    if name.endswith(".ion"):
        for line in lines(text, path):
            yield ion_item(line)
        return
    if name.endswith(".csv"):
        yield from csv.DictReader(io.StringIO(text.decode("utf-8"), newline=""), strict=True)
        return
    for line in lines(text, path):
        parsed = json.loads(line, object_pairs_hook=once)
        if list(parsed) != ["Item"]:
            raise Bad(f"{path}: not an item: {line[:200]}")
        yield {name: plain(value) for name, value in parsed["Item"].items()}


def written(item):
    return json.dumps(item, sort_keys=True, ensure_ascii=True)
