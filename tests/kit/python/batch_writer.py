"""Writes a file of items by boto3's batch_writer and prints items, seconds and seconds of the processor.

batch_writer.py FILE TABLE ENDPOINT: reading the file and making Python's values of it is not counted.
"""

import json
import sys
import time

import boto3
from boto3.dynamodb.types import TypeDeserializer

file, name, endpoint = sys.argv[1:]
plain = TypeDeserializer().deserialize
with open(file, encoding="utf-8") as lines:
    items = [{k: plain(v) for k, v in json.loads(line)["Item"].items()} for line in lines]
table = boto3.resource("dynamodb", region_name="eu-central-1", endpoint_url=endpoint).Table(name)
wall, cpu = time.perf_counter(), time.process_time()
with table.batch_writer() as batch:
    for item in items:
        batch.put_item(Item=item)
print(len(items), time.perf_counter() - wall, time.process_time() - cpu)
