"""Moves a server's hashes to a gzip file of DynamoDB JSON as a plain Python job does, and prints keys and seconds.

scan_job.py PORT KEYS FILE: redis-py reads, PyYAML guesses the types, boto3 writes the attribute values; one key after
another, as the job of the article does. The start of Python is not counted.
"""

import gzip
import json
import sys
import time

import redis
import yaml
from boto3.dynamodb.types import TypeSerializer

port, wanted, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
server = redis.Redis(port=port, decode_responses=True)
typed = TypeSerializer().serialize


def guess(text):
    value = yaml.safe_load(text)
    # DynamoDB's numbers are decimals, and boto3 takes no floats.
    return text if isinstance(value, float) or value is None else value


begun, done = time.perf_counter(), 0
with gzip.open(out, "wt", compresslevel=6, encoding="utf-8") as lines:
    for key in server.scan_iter(count=1000):
        fields = {name: guess(value) for name, value in server.hgetall(key).items()}
        lines.write(json.dumps({"Item": {"key": typed(key), "value": typed(fields)}}) + "\n")
        done += 1
        if done == wanted:
            break
print(done, time.perf_counter() - begun)
