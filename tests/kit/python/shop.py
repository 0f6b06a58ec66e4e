"""The e-commerce table of `elt sample`, read from its exports with Python's gzip and json and nothing of ours.

An export is a full one or a window of changes; the table after them is what their replay comes to: the newer write
wins, a change without a new image removes.
"""

import base64
import datetime
import decimal
import gzip
import hashlib
import json
import pathlib

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)


def fail(text):
    raise SystemExit(text)


def check(holds, text):
    """An `assert` that no switch of Python's leaves out."""
    if not holds:
        fail(text)


def micros(text):
    """`2024-01-01T00:00:00.000Z` in microseconds since 1970."""
    moment = datetime.datetime.fromisoformat(text)
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def moment(number):
    return EPOCH + datetime.timedelta(microseconds=number)


def plain(value):
    """A value of DynamoDB JSON as Python has it; N as Decimal."""
    ((kind, content),) = value.items()
    if kind == "N":
        return decimal.Decimal(content)
    if kind == "M":
        return {name: plain(each) for name, each in content.items()}
    if kind == "L":
        return [plain(each) for each in content]
    if kind == "NULL":
        return None
    check(kind in ("S", "BOOL"), f"the sample has a value of the type {kind}")
    return content


def item(image):
    return {name: plain(value) for name, value in image.items()}


def exports(folder):
    """All exports below a folder, in the order of their time: (summary, lines)."""
    root = pathlib.Path(folder)
    found = []
    for path in sorted(root.glob("AWSDynamoDB/*/manifest-summary.json")):
        summary = json.loads(path.read_text())
        lines = []
        for entry in path.with_name("manifest-files.json").read_text().splitlines():
            entry = json.loads(entry)
            stored = (root / entry["dataFileS3Key"]).read_bytes()
            digest = base64.b64encode(hashlib.md5(stored).digest()).decode()
            check(digest == entry["md5Checksum"], f"{entry['dataFileS3Key']}: another checksum")
            read = [json.loads(line) for line in gzip.decompress(stored).decode().split("\n") if line]
            check(len(read) == entry["itemCount"], f"{entry['dataFileS3Key']}: another count")
            lines.extend(read)
        check(len(lines) == summary["itemCount"], f"{path}: another count")
        found.append((summary, lines))
    check(found, f"{folder}: no export")
    return sorted(found, key=lambda export: micros(export[0].get("exportToTime") or export[0]["exportTime"]))


class Table:
    """What the table holds: (PK, SK) to the item and the time of its write."""

    def __init__(self):
        self.items = {}

    def apply(self, summary, lines):
        if summary.get("exportType") != "INCREMENTAL_EXPORT":
            written = micros(summary["exportTime"])
            self.items = {}
            for line in lines:
                new = item(line["Item"])
                key = (new["PK"], new["SK"])
                check(key not in self.items, f"{key} comes twice")
                self.items[key] = (new, written)
            return
        for line in lines:
            keys = item(line["Keys"])
            key, written = (keys["PK"], keys["SK"]), int(line["Metadata"]["WriteTimestampMicros"]["N"])
            if key in self.items and self.items[key][1] >= written:
                continue
            if "NewImage" in line:
                self.items[key] = (item(line["NewImage"]), written)
            else:
                self.items.pop(key, None)

    def of(self, kind):
        return [(it, written) for it, written in self.items.values() if it["type"] == kind]

    def customers(self):
        return {it["username"]: (it, written) for it, written in self.of("customer")}

    def addresses(self):
        return {
            (username, name): (address, written)
            for username, (it, written) in self.customers().items()
            for name, address in it.get("address", {}).items()
        }

    def orders(self):
        """By their number; the customer's name is only in the key."""
        found = {}
        for it, written in self.of("order"):
            check(it["orderid"] not in found, f"two orders {it['orderid']}")
            found[it["orderid"]] = (it | {"username": it["PK"].removeprefix("CUST#")}, written)
        return found

    def lines(self):
        return {(it["orderid"], it["productid"]): (it, written) for it, written in self.of("product")}


def replay(folder, each=lambda table: None):
    table = Table()
    for summary, lines in exports(folder):
        table.apply(summary, lines)
        each(table)
    return table


def sales(table, country=None):
    """Count and sum by (year, quarter, category, country); `None` where the order or its address is missing."""
    orders, addresses = table.orders(), table.addresses()
    country = country or (lambda key: addresses[key][0]["country"] if key in addresses else None)
    groups = {}
    for line, _ in table.lines().values():
        order = orders.get(line["orderid"], ({},))[0]
        when = datetime.datetime.fromisoformat(order["orderdate"]) if order else None
        group = (
            when and when.year,
            when and (when.month + 2) // 3,
            line["category"],
            country((order["username"], order.get("shipto"))) if order else None,
        )
        count, total = groups.get(group, (0, decimal.Decimal(0)))
        groups[group] = (count + 1, total + line["price"])
    return groups


def same(what, got, expected):
    """Two dictionaries or two lists of rows; tells the first differences."""
    if not isinstance(got, dict):
        got, expected = counted(got), counted(expected)
    if got == expected:
        return
    text = [f"{what}: {len(got)} found, {len(expected)} expected"]
    differing = [key for key in {**got, **expected} if got.get(key) != expected.get(key)]
    for key in differing[:5]:
        text.append(f"  {key!r}: {got.get(key)!r}, not {expected.get(key)!r}")
    fail("\n".join(text))


def counted(rows):
    counts = {}
    for row in rows:
        counts[row] = counts.get(row, 0) + 1
    return counts
