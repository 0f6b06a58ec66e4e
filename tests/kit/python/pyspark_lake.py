"""An export of the e-commerce table to typed Parquet, one folder an entity, as a Glue job of PySpark does it when a
person has written the schema down. Prints the seconds of the job; the start of the session is not counted.

Arguments: the folder of the export's data files, the folder to write, the number of threads.
"""

import sys
import time

from pyspark.sql import SparkSession, functions as f

data, out, threads = sys.argv[1:4]
spark = (
    SparkSession.builder.master(f"local[{int(threads)}]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.parquet.compression.codec", "zstd")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
spark.range(1000).count()

text = "struct<S:string>"
place = "struct<M:struct<" + ",".join(f"{n}:{text}" for n in ["street", "city", "state", "postcode", "country"]) + ">>"
texts = ["PK", "SK", "type", "username", "email", "fullname", "orderid", "orderdate", "shipto", "productid", "category",
         "productname", "color"]
fields = [f"{name}:{text}" for name in texts]
fields += ["numberofitems:struct<N:string>", "price:struct<N:string>"]
fields += [f"address:struct<M:struct<home:{place},work:{place},other:{place}>>"]

begun = time.monotonic()
rows = spark.read.schema("Item struct<" + ",".join(fields) + ">").json(data)
plain = {name: f.col(f"Item.{name}.S") for name in texts}
rows.select(
    *[column.alias(name.lower()) for name, column in plain.items() if name not in ("username", "orderdate")],
    f.coalesce(plain["username"], f.substring(plain["PK"], 6, 1000)).alias("username"),
    f.to_timestamp(plain["orderdate"]).alias("orderdate"),
    f.col("Item.numberofitems.N").cast("int").alias("numberofitems"),
    f.col("Item.price.N").cast("decimal(10,2)").alias("price"),
    f.col("Item.address.M").alias("address"),
).write.mode("overwrite").partitionBy("type").parquet(out)
print(f"{time.monotonic() - begun:.3f}")
