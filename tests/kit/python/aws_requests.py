"""Requests as we sent them, held against the service models of AWS's own SDK for Python.

Argument: a file of JSON lines {"target": "DynamoDB_20120810.ImportTable", "body": "…"}. Prints how many were valid; ends with
an error that names the first that is not.
"""

import json
import pathlib
import re
import sys

import botocore.loaders
import botocore.model
import botocore.validate

SERVICES = {"DynamoDB_20120810": "dynamodb", "Logs_20140328": "logs"}


def patterns(shape, value, path):
    """botocore checks types, required members and lengths, but neither patterns nor enumerations."""
    if shape.type_name == "structure":
        for name, member in value.items():
            patterns(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        for index, member in enumerate(value):
            patterns(shape.member, member, f"{path}[{index}]")
    elif shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            sys.exit(f"{path}: {value!r} is none of {shape.enum}")
        pattern = shape.metadata.get("pattern")
        if pattern and not re.fullmatch(pattern, value):
            sys.exit(f"{path}: {value!r} does not match {pattern}")


def main():
    loader = botocore.loaders.Loader()
    models = {}
    validator = botocore.validate.ParamValidator()
    count = 0
    for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
        request = json.loads(line)
        prefix, operation = request["target"].split(".")
        service = SERVICES[prefix]
        if service not in models:
            models[service] = botocore.model.ServiceModel(loader.load_service_model(service, "service-2"))
        shape = models[service].operation_model(operation).input_shape
        body = json.loads(request["body"])
        report = validator.validate(body, shape)
        if report.has_errors():
            sys.exit(f"{operation}: {report.generate_report()}: {request['body']}")
        patterns(shape, body, operation)
        count += 1
    print(count)


main()
