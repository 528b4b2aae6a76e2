"""Reads records of clicks.raw with fastavro and prints each as a line of JSON.

usage: read_clicks.py SCHEMA_DIR                   records on stdin, each after its length (4 bytes, big-endian)
       read_clicks.py SCHEMA_DIR BROKERS TOPIC     everything on a Kafka topic, up to its present end

--id N=M, first: records with schema id N are of clicks.raw.M.avsc, as a schema registry would say.

A record is one zero byte, the id of its schema (4 bytes, big-endian), then Avro. Timestamps are
printed in milliseconds: fastavro makes them datetimes, because the schema says what they are.
"""

import json
import struct
import sys
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

import fastavro

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def decode(record, schemas):
    magic, schema_id = struct.unpack(">bI", record[:5])
    if magic != 0:
        raise ValueError(f"magic byte {magic}")
    body = BytesIO(record[5:])
    click = fastavro.schemaless_reader(body, schemas[schema_id], None)
    if body.read(1):
        raise ValueError("bytes after the record")
    return {
        name: (value - EPOCH) // timedelta(milliseconds=1) if isinstance(value, datetime) else value
        for name, value in click.items()
    }


def from_stdin():
    stream = sys.stdin.buffer
    while head := stream.read(4):
        yield stream.read(struct.unpack(">I", head)[0])


def from_kafka(brokers, topic):
    """Yields the values of a topic, partition by partition, transactions that were aborted left out."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "interop-unused",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": False,
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        for partition in sorted(partitions):
            low, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)
            if low == end:
                continue
            consumer.assign([TopicPartition(topic, partition, low)])
            offset = low
            while offset < end:
                message = consumer.poll(20)
                if message is None:
                    raise TimeoutError(f"{topic}/{partition}: nothing after offset {offset}")
                if message.error():
                    raise KafkaException(message.error())
                offset = message.offset() + 1
                yield message.value()
    finally:
        consumer.close()


def main():
    arguments = sys.argv[1:]
    aliases = []
    while arguments[0] == "--id":
        aliases.append(tuple(int(part) for part in arguments[1].split("=")))
        arguments = arguments[2:]
    schema_dir, *kafka = arguments
    schemas = {
        int(path.name.split(".")[2]): fastavro.parse_schema(json.loads(path.read_text()))
        for path in Path(schema_dir).glob("clicks.raw.*.avsc")
    }
    if aliases:  # then no other id is expected
        schemas = {alias: schemas[own] for alias, own in aliases}
    for record in from_kafka(*kafka) if kafka else from_stdin():
        print(json.dumps(decode(record, schemas)))


main()
