"""An export of the e-commerce table to typed Parquet, one folder an entity, as DuckDB does it when a person has written
the schema down. One pass over the files. Prints the seconds; the start of Python is not counted.

Arguments: the folder of the export's data files, the folder to write, the number of threads.
"""

import sys
import time

import duckdb

data, out, threads = sys.argv[1:4]
text = "STRUCT(S VARCHAR)"
place = "STRUCT(M STRUCT(street STRUCT(S VARCHAR), city STRUCT(S VARCHAR), state STRUCT(S VARCHAR), postcode STRUCT(S VARCHAR), country STRUCT(S VARCHAR)))"
attributes = {
    **{name: text for name in ["PK", "SK", "type", "username", "email", "fullname", "orderid", "orderdate", "shipto",
                               "productid", "category", "productname", "color"]},
    "numberofitems": "STRUCT(N INTEGER)",
    "price": "STRUCT(N DECIMAL(10,2))",
    "address": f"STRUCT(M STRUCT(home {place}, work {place}, other {place}))",
}
item = "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in attributes.items()) + ")"

begun = time.monotonic()
db = duckdb.connect()
db.execute(f"SET threads = {int(threads)}")
db.execute("SET preserve_insertion_order = false")
db.execute(
    f"""
    COPY (
        SELECT Item.PK.S AS pk, Item.SK.S AS sk, Item.type.S AS type,
               coalesce(Item.username.S, substr(Item.PK.S, 6)) AS username, Item.email.S AS email,
               Item.fullname.S AS fullname, Item.address.M AS address, Item.orderid.S AS orderid,
               Item.orderdate.S::TIMESTAMP AS orderdate, Item.numberofitems.N AS numberofitems,
               Item.shipto.S AS shipto, Item.productid.S AS productid, Item.category.S AS category,
               Item.productname.S AS productname, Item.color.S AS color, Item.price.N AS price
        FROM read_json('{data}/*.json.gz', format = 'newline_delimited', columns = {{'Item': '{item}'}})
    ) TO '{out}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (type))
    """
)
print(f"{time.monotonic() - begun:.3f}")
