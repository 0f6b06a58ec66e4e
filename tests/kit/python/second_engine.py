"""DuckDB over the Parquet files of an embedded warehouse: does every reference arrive, is history whole, are the sums
those of the raw export?

Arguments: the folder with AWSDynamoDB, the warehouse. Prints the number of checks.
"""

import sys

import shop
import star

REFERENCES = {
    "sales": {"customer": "customer", "address": "address", "product": "product", "date": "date"},
    "orders": {"customer": "customer", "address": "address", "date": "date"},
}
BUSINESS = {"customer": "username, valid_from", "address": "username, name", "product": "productid", "date": "date"}
GRAIN = {"sales": "orderid, productid", "orders": "username, orderid"}

# Each gives the rows that must not be.
WRONG = {
    "a version that does not follow on the one before": """
        SELECT * FROM (
            SELECT username, valid_from, lag(valid_to) OVER (PARTITION BY username ORDER BY valid_from) AS before
            FROM dwh.customer) WHERE before <> valid_from""",
    "not exactly one current version": """
        SELECT username FROM dwh.customer GROUP BY username HAVING count(*) FILTER (is_current) <> 1""",
    "a current version that ends": """
        SELECT username FROM dwh.customer WHERE is_current <> (epoch_us(valid_to) = 253402214400000000)""",
    "a version that ends before it begins": "SELECT * FROM dwh.customer WHERE valid_from >= valid_to",
    "a day that is missing": """
        SELECT date FROM (SELECT date, lag(date) OVER (ORDER BY date) AS before FROM dwh.date WHERE date_key > 0)
        WHERE date - before <> 1""",
    "a day whose key is another": """
        SELECT date FROM dwh.date WHERE date_key > 0
        AND (date_key <> year * 10000 + month * 100 + day OR year <> year(date) OR month <> month(date)
             OR day <> day(date) OR quarter <> quarter(date) OR iso_week <> weekofyear(date)
             OR iso_year <> isoyear(date) OR weekday <> isodow(date) OR month_name <> monthname(date)
             OR weekday_name <> dayname(date))""",
    "a sale outside of its customer's version": """
        SELECT s.orderid FROM dwh.sales s JOIN dwh.customer c USING (customer_key) JOIN dwh.date d USING (date_key)
        WHERE d.date < c.valid_from::DATE OR d.date > c.valid_to::DATE""",
}


def main(source, warehouse):
    db, commit = star.open_star(warehouse)
    checks = len(commit["tables"])

    def none(what, sql):
        nonlocal checks
        checks += 1
        found = db.execute(sql).fetchmany(5)
        shop.check(not found, f"{what}: {found}")

    for fact, roles in REFERENCES.items():
        grain = GRAIN[fact]
        none(f"{fact}: grain", f"SELECT {grain} FROM dwh.{fact} GROUP BY {grain} HAVING count(*) > 1")
        for role, dimension in roles.items():
            none(
                f"{fact}.{role}_key",
                f"SELECT {role}_key FROM dwh.{fact} WHERE {role}_key IS NULL OR NOT EXISTS "
                f"(FROM dwh.{dimension} d WHERE d.{dimension}_key = {fact}.{role}_key)",
            )
    for dimension, business in BUSINESS.items():
        for key in (f"{dimension}_key", business):
            none(f"{dimension}: {key}", f"SELECT {key} FROM dwh.{dimension} GROUP BY {key} HAVING count(*) > 1")
        none(
            f"{dimension}: one unknown member",
            f"SELECT count(*) FROM dwh.{dimension} WHERE {dimension}_key < 1 HAVING count(*) <> 1 OR min({dimension}_key) <> -1",
        )
        if dimension != "date":
            key = f"{dimension}_key, {business}"
            dwh = f"SELECT {key} FROM dwh.{dimension} WHERE {dimension}_key > 0"
            for left, right in ((dwh, f"SELECT {key} FROM keys.{dimension}"), (f"SELECT {key} FROM keys.{dimension}", dwh)):
                none(f"{dimension}: keys", f"{left} EXCEPT {right}")
    for what, sql in WRONG.items():
        none(what, sql)

    expected = star.Star()
    table = shop.replay(source, expected.load)
    read = db.execute("""
        SELECT d.year, d.quarter, p.category, a.country, count(*), sum(s.price)
        FROM dwh.sales s JOIN dwh.date d USING (date_key) JOIN dwh.product p USING (product_key)
        JOIN dwh.address a USING (address_key) GROUP BY ALL""").fetchall()
    shop.same("sums", {row[:4]: row[4:] for row in read}, shop.sales(table, expected.country))
    ((total,),) = db.execute("SELECT sum(price) FROM dwh.sales").fetchall()
    shop.check(total == sum(line["price"] for line, _ in table.lines().values()), "the sum of all sales")
    ((total,),) = db.execute("SELECT sum(numberofitems) FROM dwh.orders").fetchall()
    shop.check(total == sum(order["numberofitems"] for order, _ in table.orders().values()), "the sum of all orders")
    print(checks + 3)


if __name__ == "__main__":
    main(*sys.argv[1:])
