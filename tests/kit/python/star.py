"""The star of the e-commerce model in an embedded warehouse, opened with DuckDB over the Parquet files that commit.json
names, and what its tables must hold after loads of an export and its windows.
"""

import datetime
import json
import pathlib

import duckdb
import shop

FIRST = shop.micros("1900-01-01T00:00:00Z")
LAST = shop.micros("9999-12-31T00:00:00Z")


def open_star(warehouse):
    """A connection with a view for each table, and the commit."""
    warehouse = pathlib.Path(warehouse)
    commit = json.loads((warehouse / "commit.json").read_text())
    db = duckdb.connect()
    for table in commit["tables"]:
        schema, name = table["schema"], table["name"]
        files = [warehouse / "tables" / schema / name / file["name"] for file in table["files"]]
        db.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
        db.execute(f'CREATE VIEW "{schema}"."{name}" AS FROM read_parquet([{listed}], hive_partitioning = false)')
        ((rows,),) = db.execute(f'SELECT count(*) FROM "{schema}"."{name}"').fetchall()
        shop.check(rows == table["rows"], f"{schema}.{name}: {rows} rows, not {table['rows']}")
        names = [column[0] for column in db.execute(f'DESCRIBE "{schema}"."{name}"').fetchall()]
        shop.same(f"{schema}.{name}: columns", names, [column["name"] for column in table["columns"]])
    return db, commit


class Star:
    """What the warehouse holds after each load: dimensions keep what facts may refer to."""

    def __init__(self):
        self.customers = {}
        self.addresses = {}
        self.products = {}
        self.table = None

    def load(self, table):
        self.table = table
        orders = [order for order, _ in table.orders().values()]
        for username, (it, written) in table.customers().items():
            known = self.customers.setdefault(username, {"versions": [], "inferred": False})
            versions, name = known["versions"], it["fullname"]
            if not versions:
                versions.append((FIRST, name))
            elif known["inferred"] or name == versions[-1][1] or written <= versions[-1][0]:
                versions[-1] = (versions[-1][0], name)
            else:
                versions.append((written, name))
            known |= {"email": it["email"], "inferred": False}
        for order in orders:
            unknown = {"versions": [(FIRST, None)], "email": None, "inferred": True}
            self.customers.setdefault(order["username"], unknown)
        present = table.customers()
        for username, known in self.customers.items():
            known["deleted"] = not known["inferred"] and username not in present

        names = ("street", "city", "state", "postcode", "country")
        lines = [line for line, _ in sorted(table.lines().values(), key=lambda line: line[1])]
        self._load(
            self.addresses,
            {key: tuple(address[name] for name in names) for key, (address, _) in table.addresses().items()},
            {(order["username"], order["shipto"]) for order in orders if order.get("shipto") is not None},
            (None,) * len(names),
        )
        # The newest line says what a product is; of those of one moment, all say the same.
        of = {line["productid"]: (line["productname"], line.get("color"), line["category"]) for line in lines}
        for line in lines:
            category = of[line["productid"]][2]
            shop.check(category == line["category"], f"{line['productid']} is of two categories")
        self._load(self.products, of, set(of), ())

    @staticmethod
    def _load(members, now, referred, nothing):
        """Without history: (attributes, inferred, deleted)."""
        for key, attributes in now.items():
            members[key] = (attributes, False, False)
        for key in referred:
            members.setdefault(key, (nothing, True, False))
        for key, (attributes, inferred, _) in members.items():
            members[key] = (attributes, inferred, not inferred and key not in now)

    def customer_rows(self):
        rows = [(None, None, None, False, False, FIRST, LAST, True)]
        for username, known in self.customers.items():
            ends = [version[0] for version in known["versions"][1:]] + [LAST]
            for (start, fullname), end in zip(known["versions"], ends):
                flags = (known["inferred"], known["deleted"])
                rows.append((username, known["email"], fullname, *flags, start, end, end == LAST))
        return rows

    def address_rows(self):
        return [
            (None,) * 7 + (False, False),
            *((*key, *row, inferred, deleted) for key, (row, inferred, deleted) in self.addresses.items()),
        ]

    def product_rows(self):
        return [
            (None,) * 4 + (False, False),
            *((key, *row, inferred, deleted) for key, (row, inferred, deleted) in self.products.items()),
        ]

    def _dimensions(self, order):
        """Customer, its version's beginning, address and day of an order; of none, the unknown members."""
        if order is None:
            return (None, FIRST, None, None, None)
        username, when = order["username"], shop.micros(order["orderdate"])
        begun = [start for start, _ in self.customers[username]["versions"] if start <= when]
        shipto = order.get("shipto")
        address = (username, shipto) if shipto is not None else (None, None)
        day = datetime.datetime.fromisoformat(order["orderdate"]).date()
        return (username, begun[-1], *address, day)

    def sales_rows(self):
        orders = self.table.orders()
        for (orderid, productid), (line, _) in self.table.lines().items():
            order = orders.get(orderid, (None,))[0]
            yield (orderid, productid, *self._dimensions(order), productid, line["price"])

    def orders_rows(self):
        for orderid, (order, _) in self.table.orders().items():
            yield (order["username"], orderid, *self._dimensions(order), int(order["numberofitems"]))

    def country(self, key):
        """Of an address, as the warehouse knows it."""
        return self.addresses[key][0][4] if key in self.addresses else None


ROWS = {
    "customer": """
        SELECT username, email, fullname, is_inferred, is_deleted, epoch_us(valid_from), epoch_us(valid_to), is_current
        FROM dwh.customer""",
    "address": """
        SELECT username, name, street, city, state, postcode, country, is_inferred, is_deleted FROM dwh.address""",
    "product": "SELECT productid, productname, color, category, is_inferred, is_deleted FROM dwh.product",
    "sales": """
        SELECT s.orderid, s.productid, c.username, epoch_us(c.valid_from), a.username, a.name, d.date, p.productid,
               s.price
        FROM dwh.sales s JOIN dwh.customer c USING (customer_key) JOIN dwh.address a USING (address_key)
        JOIN dwh.product p USING (product_key) JOIN dwh.date d USING (date_key)""",
    "orders": """
        SELECT o.username, o.orderid, c.username, epoch_us(c.valid_from), a.username, a.name, d.date, o.numberofitems
        FROM dwh.orders o JOIN dwh.customer c USING (customer_key) JOIN dwh.address a USING (address_key)
        JOIN dwh.date d USING (date_key)""",
}
