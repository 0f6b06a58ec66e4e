"""Reads the lake of the e-commerce model with pyarrow and with DuckDB: names, types, statistics, and every value of
every column, against what Python makes of the exports.

Arguments: the folder with AWSDynamoDB, the lake. Prints the rows of each entity as JSON.
"""

import datetime
import decimal
import json
import pathlib
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

import shop

TEXT, INT, PRICE, TIME = pa.string(), pa.int64(), pa.decimal128(10, 2), pa.timestamp("us", tz="UTC")
SYSTEM = [("_pk", TEXT), ("_sk", TEXT), ("_written_at", TIME)]
COLUMNS = {
    "customer": [("username", TEXT), ("email", TEXT), ("fullname", TEXT)],
    "address": [
        ("username", TEXT),
        ("name", TEXT),
        ("street", TEXT),
        ("city", TEXT),
        ("state", TEXT),
        ("postcode", TEXT),
        ("country", TEXT),
    ],
    "order": [
        ("username", TEXT),
        ("orderid", TEXT),
        ("orderdate", TIME),
        ("numberofitems", INT),
        ("shipto", TEXT),
    ],
    "line": [
        ("orderid", TEXT),
        ("productid", TEXT),
        ("category", TEXT),
        ("productname", TEXT),
        ("color", TEXT),
        ("price", PRICE),
    ],
}
IN_DUCKDB = {TEXT: "VARCHAR", INT: "BIGINT", PRICE: "DECIMAL(10,2)", TIME: "TIMESTAMP WITH TIME ZONE"}


def expected(table):
    """The rows of each entity, as tuples in the order of the columns."""

    def value(it, name, kind):
        found = it.get(name)
        if found is None:
            return None
        if kind == TIME:
            return datetime.datetime.fromisoformat(found)
        return int(found) if kind == INT else found

    def row(entity, keys, written, it):
        return (*keys, shop.moment(written), *(value(it, name, kind) for name, kind in COLUMNS[entity]))

    def keys(it):
        return it["PK"], it["SK"]

    customers = table.customers()
    return {
        "customer": [row("customer", keys(it), written, it) for it, written in customers.values()],
        "address": [
            row("address", keys(customers[username][0]), written, it | {"username": username, "name": name})
            for (username, name), (it, written) in table.addresses().items()
        ],
        "order": [row("order", keys(it), written, it) for it, written in table.orders().values()],
        "line": [row("line", keys(it), written, it) for it, written in table.lines().values()],
    }


def statistics(file, path):
    """Every column of every row group has its count of NULLs, and its bounds unless it is all NULL."""
    for group in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(group)
        for column in range(group.num_columns):
            column = group.column(column)
            known, where = column.statistics, f"{path}: {column.path_in_schema}"
            shop.check(column.is_stats_set and known.has_null_count, f"{where} has no statistics")
            shop.check(known.has_min_max or known.null_count == group.num_rows, f"{where} has no bounds")
            shop.check(column.compression == "ZSTD", f"{where} is compressed with {column.compression}")


def judge(lake, entity, named, rows):
    columns = SYSTEM + COLUMNS[entity]
    folder = lake / f"type={entity}"
    paths = [folder / file["name"] for file in named["files"]]
    shop.same(f"{entity}: files", sorted(folder.iterdir()), sorted(paths))
    got = []
    for path, entry in zip(paths, named["files"]):
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
        shop.check([(field.name, field.type) for field in schema] == columns, f"{path}: {schema}")
        nullable = [field.name for field in schema if not field.nullable]
        shop.check(nullable == ["_pk", "_written_at"], f"{path}: not NULL are {nullable}")
        statistics(file, path)
        read = file.read()
        shop.check(read.num_rows == entry["rows"], f"{path}: {read.num_rows} rows, not {entry['rows']}")
        shop.check(path.stat().st_size == entry["bytes"], f"{path}: another size")
        got.extend(zip(*(column.to_pylist() for column in read.columns)))
    shop.check(len(rows) == named["rows"], f"{entity}: {named['rows']} rows by the manifest, not {len(rows)}")
    shop.same(f"{entity}, read by pyarrow", got, rows)

    # DuckDB's Python wants a package more for moments with a zone; numbers are exact without.
    db = duckdb.connect()
    files = [str(path) for path in paths]
    relation = db.execute("DESCRIBE SELECT * FROM read_parquet($1, hive_partitioning = false)", [files])
    described = [(name, kind) for name, kind, *_ in relation.fetchall()]
    shop.same(f"{entity}: columns in DuckDB", described, [(name, IN_DUCKDB[kind]) for name, kind in columns])
    shop.check([name for name, _ in described] == [name for name, _ in columns], f"{entity}: order of columns")
    select = ", ".join(f'epoch_us("{name}")' if kind == TIME else f'"{name}"' for name, kind in columns)
    read = db.execute(f"SELECT {select} FROM read_parquet($1, hive_partitioning = false)", [files]).fetchall()
    times = [at for at, (_, kind) in enumerate(columns) if kind == TIME]

    def timed(row):
        return tuple(row[at] if at not in times or row[at] is None else shop.moment(row[at]) for at in range(len(row)))

    shop.same(f"{entity}, read by DuckDB", [timed(row) for row in read], rows)
    for number in (value for row in read for value in row if isinstance(value, decimal.Decimal)):
        shop.check(number.as_tuple().exponent == -2, f"{number} has not two decimals")


def main(source, lake):
    lake = pathlib.Path(lake)
    manifest = json.loads((lake / "_keystar/manifest.json").read_text())
    rows = expected(shop.replay(source))
    shop.check(manifest["entities"].pop("_unknown")["rows"] == 0, "some items are unknown")
    shop.same("entities", sorted(manifest["entities"]), sorted(rows))
    for entity, named in manifest["entities"].items():
        judge(lake, entity, named, rows[entity])
    by_type = "SELECT type, count(*) FROM read_parquet($1, hive_partitioning = true, union_by_name = true) GROUP BY ALL"
    counts = duckdb.connect().execute(by_type, [f"{lake}/type=*/*.parquet"]).fetchall()
    shop.same("rows by the folders' names", dict(counts), {entity: len(rows) for entity, rows in rows.items()})
    print(json.dumps({entity: len(rows) for entity, rows in rows.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
