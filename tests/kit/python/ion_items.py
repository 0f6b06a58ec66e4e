"""Items of an Ion file, read by Amazon's own parser, as DynamoDB JSON: one line for each.

Argument: the file, not compressed. A value that is no item of the import format gives {"error": why}, and the end.
"""

import base64
import json
import sys

from amazon.ion import simpleion
from amazon.ion.core import IonType

SETS = {"$dynamodb_SS": "SS", "$dynamodb_NS": "NS", "$dynamodb_BS": "BS"}


def number(value):
    # Decimal's own text may be 6E+2, which DynamoDB takes, too.
    return str(value)


def attribute(value):
    kind = value.ion_type
    annotations = [annotation.text for annotation in value.ion_annotations]
    if kind == IonType.LIST and annotations:
        name = SETS[annotations[0]]
        member = {"SS": str, "NS": number, "BS": lambda one: base64.b64encode(one).decode()}[name]
        return {name: [member(one) for one in value]}
    if kind == IonType.NULL:
        return {"NULL": True}
    if kind == IonType.BOOL:
        return {"BOOL": bool(value)}
    if kind == IonType.DECIMAL:
        return {"N": number(value)}
    if kind == IonType.STRING:
        return {"S": str(value)}
    if kind == IonType.BLOB:
        return {"B": base64.b64encode(value).decode()}
    if kind == IonType.LIST:
        return {"L": [attribute(one) for one in value]}
    if kind == IonType.STRUCT:
        return {"M": {name: attribute(one) for name, one in value.items()}}
    raise ValueError(f"the import has no type for Ion's {kind.name}")


def main():
    with open(sys.argv[1], "rb") as file:
        try:
            for value in simpleion.load(file, single_value=False, parse_eagerly=False):
                item = {name: attribute(one) for name, one in value["Item"].items()}
                print(json.dumps({"Item": item}))
        except Exception as error:  # Whatever it is, the rest of the object cannot be read.
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}))


main()
