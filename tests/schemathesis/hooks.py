"""What schemathesis does not know of the ledger; run.py names this file to it.

JSON Schema counts characters where our bounds are in bytes, takes 1.0 for an integer, and knows no clock. Requests
that are made up to be valid are brought within those bounds; what is made up to be wrong stays wrong.
"""

import json
from datetime import datetime, timedelta, timezone

import msgpack
import schemathesis
from hypothesis import strategies as st

# An event is at most a day ahead of the ledger's clock.
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(2026, 1, 1), timezones=OFFSETS)

schemathesis.openapi.format("date-time", TIMES.map(datetime.isoformat))


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Says what a line is where the document can only say that lines are text, and leaves out what goes with bodies
    that nobody packs here."""
    append = raw_schema.get("paths", {}).get("/v1/events", {}).get("post")
    if append is None:
        return
    content = append["requestBody"]["content"]
    event = content["application/x-ndjson"]["x-item-schema"]
    content["application/x-ndjson"] = {"schema": {"type": "array", "items": event, "minItems": 1, "maxItems": 10000}}
    append["parameters"] = [
        parameter for parameter in append["parameters"] if parameter["name"] != "Content-Encoding"
    ]


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    """An event a line."""
    events = value if isinstance(value, list) else [value]
    return "\n".join(map(json.dumps, events)).encode()


@schemathesis.serializer("application/msgpack")
def packed(context, value):
    """The same maps as MessagePack. It has no integers of more than 64 bits. An integer is a time there, which the
    document cannot say beside what holds for JSON: what is wrong in JSON is made wrong here too."""

    def change(name, number):
        is_packable = isinstance(number, float) or -(2**63) <= number < 2**64
        return number if is_packable and not name.endswith("_at") else float(number)

    return msgpack.packb(mapped(value, change))


@schemathesis.hook
def map_body(context, body):
    """A whole number is an integer to a schema, also with a fraction of zero."""
    return mapped(body, lambda name, number: int(number) if float(number).is_integer() else number)


@schemathesis.hook
def map_headers(context, headers):
    """A position that the log has not reached is right to ask for, and answered with 503 after ten seconds."""
    position = (headers or {}).get("Ledger-Min-Position")
    if str(position).isdecimal() and int(position) > 1:
        headers["Ledger-Min-Position"] = "1"
    return headers


def mapped(value, change, name=""):
    """The value with its numbers changed, each by the name that it stands under."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return change(name, value)
    if isinstance(value, list):
        return [mapped(item, change, name) for item in value]
    if isinstance(value, dict):
        return {member: mapped(item, change, member) for member, item in value.items()}
    return value
