"""A warehouse that was loaded after an export and after each of its windows, against a replay in Python: dimensions with
their history, facts with what they refer to.

Arguments: the folder with AWSDynamoDB, the warehouse. Prints as JSON how much there was to see.
"""

import json
import sys

import shop
import star


def main(source, warehouse):
    expected = star.Star()
    table = shop.replay(source, expected.load)
    db, _ = star.open_star(warehouse)
    rows = {
        "customer": expected.customer_rows(),
        "address": expected.address_rows(),
        "product": expected.product_rows(),
        "sales": expected.sales_rows(),
        "orders": expected.orders_rows(),
    }
    for name, rows in rows.items():
        shop.same(f"dwh.{name}", db.execute(star.ROWS[name]).fetchall(), rows)
    members, orders = expected.customers.values(), table.orders()
    seen = {
        "versions": sum(len(member["versions"]) - 1 for member in members),
        "inferred customers": sum(member["inferred"] for member in members),
        "deleted customers": sum(member["deleted"] for member in members),
        "inferred addresses": sum(inferred for _, inferred, _ in expected.addresses.values()),
        "deleted addresses": sum(deleted for _, _, deleted in expected.addresses.values()),
        "sales without an order": sum(line[0] not in orders for line in table.lines()),
        # A customer's order after the name changed is of the later version.
        "sales of later versions": sum(row[3] != star.FIRST for row in expected.sales_rows()),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
