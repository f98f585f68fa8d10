//! How a time looks in JSON, for the schemas of reports. `schemars` does not know the version of `jiff` that flowswap uses.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A [`Timestamp`](jiff::Timestamp) in JSON: RFC 3339 in UTC, such as `2026-12-03T13:05:00Z`.
pub struct Time;

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}
