"""A table with an attribute for every type that a model can name, and at the limits of each; judged in the lake with
pyarrow and DuckDB.

Arguments: `make FOLDER` writes model.toml and items.json; `judge LAKE` reads what became of them, and prints the rows.
"""

import base64
import datetime
import decimal
import json
import pathlib
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

import shop

D = decimal.Decimal
MODEL = """
[table]
partition_key = "id"
sort_key = "n"

[entity.thing]
pk = "THING#{id}"
sk = "{n}"

[entity.thing.columns]
id = { key = "id", type = "text(8)" }
n = { key = "n", type = "int" }
words = "text(24)"
truth = "bool"
whole = "int"
exact = "decimal(12,3)"
widest = "decimal(38,0)"
float = "double"
day = "date(iso)"
local_day = { from = "localDay", type = "date('%d/%m/%Y')" }
at = "timestamp(iso)"
at_seconds = { from = "clock.s", type = "timestamp(epoch-seconds)" }
at_millis = { from = "clock.ms", type = "timestamp(epoch-millis)" }
at_micros = { from = "clock.us", type = "timestamp(epoch-micros)" }
raw = "bytes(8)"
anything = "json"
tags = "list<text(8)>"
numbers = "list<decimal(5,1)>"
place = 'struct<city: text(20), code="postal.code": text(8), spot: list<double>>'
gone = { is_null = "words" }
"""
TIME = pa.timestamp("us", tz="UTC")
COLUMNS = {
    "_pk": pa.string(),
    "_sk": pa.string(),
    "_written_at": TIME,
    "id": pa.string(),
    "n": pa.int64(),
    "words": pa.string(),
    "truth": pa.bool_(),
    "whole": pa.int64(),
    "exact": pa.decimal128(12, 3),
    "widest": pa.decimal128(38, 0),
    "float": pa.float64(),
    "day": pa.date32(),
    "local_day": pa.date32(),
    "at": TIME,
    "at_seconds": TIME,
    "at_millis": TIME,
    "at_micros": TIME,
    "raw": pa.binary(),
    "anything": pa.string(),
    "tags": pa.list_(pa.string()),
    "numbers": pa.list_(pa.decimal128(5, 1)),
    "place": pa.struct([("city", pa.string()), ("code", pa.string()), ("spot", pa.list_(pa.float64()))]),
    "gone": pa.bool_(),
}
IN_DUCKDB = {
    "exact": "DECIMAL(12,3)",
    "widest": "DECIMAL(38,0)",
    "float": "DOUBLE",
    "day": "DATE",
    "at": "TIMESTAMP WITH TIME ZONE",
    "raw": "BLOB",
    "tags": "VARCHAR[]",
    "numbers": "DECIMAL(5,1)[]",
    "place": "STRUCT(city VARCHAR, code VARCHAR, spot DOUBLE[])",
    "gone": "BOOLEAN",
}


def n(number):
    return {"N": str(number)}


def s(text):
    return {"S": str(text)}


ITEMS = [
    {
        "words": s("Ünï „c“ \u2028\t\\\"🦆"),
        "truth": {"BOOL": True},
        "whole": n(2**63 - 1),
        "exact": n("999999999.999"),
        "widest": n("9" * 38),
        "float": n("-1.5e-7"),
        "day": s("2024-02-29"),
        "localDay": s("31/12/1999"),
        "at": s("2021-04-12T10:20:30.123456+05:30"),
        "clock": {"M": {"s": n(-1), "ms": n(1704067200123), "us": s("1704067200123456")}},
        "raw": {"B": base64.b64encode(b"\0\xff\x80PAR1").decode()},
        "anything": {"M": {"a": {"L": [n("0.10"), {"NULL": True}, {"BOOL": False}]}, "ü\"": s("\\")}},
        "tags": {"SS": ["b", "a", "ü"]},
        "numbers": {"L": [n("1.5"), n("-1e3"), {"NULL": True}, n("9999.9")]},
        "place": {"M": {"city": s("Łódź"), "postal.code": s("90-001"), "spot": {"L": [n("51.77"), n("19.46")]}}},
    },
    {
        "words": {"NULL": True},
        "truth": {"BOOL": False},
        "whole": n(-(2**63)),
        "exact": n("-1e-3"),
        "widest": n("-" + "9" * 38),
        "float": n("0"),
        "day": s("0001-01-01"),
        "localDay": s("01/02/2003"),
        "at": s("1969-12-31T23:59:59.999999Z"),
        "clock": {"M": {"s": n(253402300799)}},
        "raw": {"B": ""},
        "anything": s("text"),
        "tags": {"L": []},
        "numbers": {"NS": ["7"]},
        "place": {"M": {}},
    },
    {},
    {"exact": n("1e2"), "whole": n("5.0"), "at": s("2021-04-12"), "anything": n("12345678901234567890.123456789"), "day": s("9999-12-31")},
]


def at(*parts):
    return datetime.datetime(*parts, tzinfo=datetime.timezone.utc)


NOTHING = dict.fromkeys(COLUMNS)
EXPECTED = [
    {
        "gone": False,
        "words": "Ünï „c“ \u2028\t\\\"🦆",
        "truth": True,
        "whole": 2**63 - 1,
        "exact": D("999999999.999"),
        "widest": D("9" * 38),
        "float": -1.5e-7,
        "day": datetime.date(2024, 2, 29),
        "local_day": datetime.date(1999, 12, 31),
        "at": at(2021, 4, 12, 4, 50, 30, 123456),
        "at_seconds": at(1969, 12, 31, 23, 59, 59),
        "at_millis": at(2024, 1, 1, 0, 0, 0, 123000),
        "at_micros": at(2024, 1, 1, 0, 0, 0, 123456),
        "raw": b"\0\xff\x80PAR1",
        "anything": {"a": [D("0.10"), None, False], "ü\"": "\\"},
        "tags": ["b", "a", "ü"],
        "numbers": [D("1.5"), D("-1000.0"), None, D("9999.9")],
        "place": {"city": "Łódź", "code": "90-001", "spot": [51.77, 19.46]},
    },
    {
        "truth": False,
        "whole": -(2**63),
        "exact": D("-0.001"),
        "widest": D("-" + "9" * 38),
        "float": 0.0,
        "day": datetime.date(1, 1, 1),
        "local_day": datetime.date(2003, 2, 1),
        "at": at(1969, 12, 31, 23, 59, 59, 999999),
        "at_seconds": at(9999, 12, 31, 23, 59, 59),
        "raw": b"",
        "anything": "text",
        "tags": [],
        "numbers": [D("7.0")],
        "place": {"city": None, "code": None, "spot": None},
        "gone": True,
    },
    {},
    {
        "exact": D("100.000"),
        "whole": 5,
        "at": at(2021, 4, 12),
        "anything": D("12345678901234567890.123456789"),
        "day": datetime.date(9999, 12, 31),
    },
]
# What fits no column: attribute, value. Each makes its item go to the rejects.
WRONG = [
    ("exact", n("0.0005")),
    ("exact", n("1e9")),
    ("widest", n("1e38")),
    ("whole", n(2**63)),
    ("whole", n("0.5")),
    ("words", s("ü" * 13)),
    ("words", n(1)),
    ("truth", s("true")),
    ("day", s("2021-02-29")),
    ("localDay", s("13/13/2013")),
    ("at", s("yesterday")),
    ("raw", {"B": base64.b64encode(b"123456789").decode()}),
    ("tags", {"L": [s("far too long a tag")]}),
    ("numbers", {"L": [n("0.05")]}),
    ("place", {"M": {"city": n(1)}}),
    ("float", n("1e125")),
]
FITS_ALL_THE_SAME = ("float",)


def make(folder):
    folder = pathlib.Path(folder)
    (folder / "model.toml").write_text(MODEL)
    items = [{"id": s(f"THING#{at}"), "n": s(at)} | it for at, it in enumerate(ITEMS)]
    items += [{"id": s("THING#x"), "n": s(at), name: value} for at, (name, value) in enumerate(WRONG)]
    items.append({"id": s("OTHER#1"), "n": n(0)})
    (folder / "items.json").write_text("".join(json.dumps({"Item": it}, ensure_ascii=False) + "\n" for it in items))


def value(name, found):
    return json.loads(found, parse_float=D) if name == "anything" and found is not None else found


def judge(lake):
    lake = pathlib.Path(lake)
    manifest = json.loads((lake / "_keystar/manifest.json").read_text())
    named = manifest["entities"]["thing"]
    files = [str(lake / "type=thing" / file["name"]) for file in named["files"]]
    rows = []
    for path in files:
        schema = pq.read_schema(path)
        got = {field.name: field.type for field in schema}
        shop.check(list(got.items()) == list(COLUMNS.items()), f"columns: {schema}")
        rows += pq.ParquetFile(path).read().to_pylist()

    expected = [
        NOTHING | {"_pk": f"THING#{at}", "_sk": str(at), "_written_at": shop.EPOCH, "id": str(at), "n": at} | row
        for at, row in enumerate(EXPECTED)
    ]
    kept = [dict(WRONG)[name] for name in FITS_ALL_THE_SAME]
    shop.check(len(kept) == 1 and float(kept[0]["N"]) == 1e125, "the list of what fits has changed")
    at = [name for name, _ in WRONG].index("float")
    expected.append(
        NOTHING | {"_pk": "THING#x", "_sk": str(at), "_written_at": shop.EPOCH, "id": "x", "n": at, "float": 1e125}
    )
    rows.sort(key=lambda row: (row["_pk"], int(row["_sk"])))
    shop.check(len(rows) == len(expected) == named["rows"], f"{len(rows)} rows: {rows}")
    for row, wanted in zip(rows, expected):
        for name in COLUMNS:
            got = value(name, row[name])
            shop.check(got == wanted[name], f"{row['_pk']} {name}: {got!r}, not {wanted[name]!r}")

    db = duckdb.connect()
    described = db.execute("DESCRIBE SELECT * FROM read_parquet($1, hive_partitioning = false)", [files]).fetchall()
    described = {name: kind for name, kind, *_ in described}
    shop.same("types in DuckDB", {name: described.get(name) for name in IN_DUCKDB}, IN_DUCKDB)
    names = [name for name, kind in COLUMNS.items() if kind != TIME]
    select = ", ".join(f'"{name}"' for name in names)
    read = db.execute(f"SELECT {select} FROM read_parquet($1, hive_partitioning = false)", [files]).fetchall()
    read.sort(key=lambda row: (row[0], int(row[1])))
    for row, wanted in zip(read, expected):
        for name, got in zip(names, row):
            shop.check(value(name, got) == wanted[name], f"DuckDB: {row[0]} {name}: {got!r}, not {wanted[name]!r}")

    rejects = [json.loads(line) for path in (lake / "_keystar/rejects").glob("*/*.jsonl") for line in path.open()]
    where = {"localDay": "local_day"}
    wanted = sorted(where.get(name, name) for name, _ in WRONG if name not in FITS_ALL_THE_SAME)
    shop.same("rejects by column", sorted(reject["column"] for reject in rejects), wanted)
    shop.check(manifest["entities"]["_unknown"]["rows"] == 1, "OTHER#1 is not among the unknown")
    print(len(rows))


if __name__ == "__main__":
    {"make": make, "judge": judge}[sys.argv[1]](sys.argv[2])
