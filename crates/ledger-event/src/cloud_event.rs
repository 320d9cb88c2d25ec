//! A CloudEvent as a sender gives it.
//!
//! [CloudEvents 1.0.2](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md) in its JSON format, in
//! structured mode. Every one of our fields has a place in it:
//!
//! | attribute | is |
//! |---|---|
//! | `specversion` | `1.0` |
//! | `id` | `id`. Where the specification asks for one that is unique within `source`, ours is unique within the workspace |
//! | `type` | `kind` |
//! | `source` | ends in `/workspaces/{workspace_id}/subscriptions/{subscription_id}`, each percent-encoded |
//! | `subject` | `delivery_id` |
//! | `time` | `occurred_at`; the time of receipt when absent |
//! | `datacontenttype` | `application/json`, or absent |
//! | `dataschema` | not read |
//! | `data` | `data` |
//! | `data_base64` | refused: the data is JSON |
//!
//! Extension attributes are allowed by the specification, and not kept. They have names of lower-case letters and
//! digits, as it demands: another name is refused, so that no misspelt attribute gets lost.

use std::fmt;

use serde::de::{self, IgnoredAny, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::draft::{DataDraft, EventDraft, EventFields};
use crate::event::Kind;
use crate::id::{DeliveryId, EventId, SubscriptionId, WorkspaceId};
use crate::strict::{self, Named};
use crate::time::Timestamp;

/// An event in the JSON format of CloudEvents 1.0: read it, and make it an [`EventDraft`].
#[derive(Debug)]
pub struct CloudEvent(Attributes);

impl<'de> Deserialize<'de> for CloudEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        strict::map(deserializer).map(Self)
    }
}

impl From<CloudEvent> for EventDraft {
    fn from(CloudEvent(attributes): CloudEvent) -> Self {
        let fields = EventFields {
            id: Some(attributes.id),
            kind: attributes.kind,
            workspace_id: Some(attributes.source.workspace_id),
            subscription_id: attributes.source.subscription_id,
            delivery_id: attributes.subject,
            occurred_at: attributes.time,
            data: attributes.data,
            _position: IgnoredAny,
            _recorded_at: IgnoredAny,
        };
        EventDraft::new(fields, "time")
    }
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Attributes {
    /// The version of the specification.
    #[serde(rename = "specversion")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "1.0")))]
    _spec_version: SpecVersion,
    /// The `id` of the event: unique within the workspace, not only within `source`.
    id: EventId,
    /// The `kind` of the event.
    #[serde(rename = "type", deserialize_with = "strict::name")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    kind: Kind,
    /// A URI that ends in `/workspaces/{workspace_id}/subscriptions/{subscription_id}`, each percent-encoded.
    #[cfg_attr(feature = "schema", schemars(with = "String", regex(pattern = SOURCE_PATTERN)))]
    source: Source,
    /// The `delivery_id` of the event.
    subject: DeliveryId,
    /// The `occurred_at` of the event.
    time: Option<Timestamp>,
    /// `application/json`, with any parameters.
    #[serde(rename = "datacontenttype")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", extend("pattern" = JSON_TYPE_PATTERN)))]
    _data_content_type: Option<JsonContentType>,
    #[serde(default, deserialize_with = "strict::map")]
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    data: DataDraft,
    #[serde(default, rename = "data_base64")]
    #[cfg_attr(feature = "schema", schemars(skip))]
    _data_base64: NoBinary,
}

/// An id in a source, as JSON Schema can say it: UTF-8 without control characters, percent-encoded (RFC 3629, section 4).
#[cfg(feature = "schema")]
macro_rules! id_pattern {
    () => {
        concat!(
            "([A-Za-z0-9._~!$&'()*+,;=:@-]|%[2-6][0-9A-Fa-f]|%7[0-9A-Ea-e]",
            "|%[Cc]2%[ABab][0-9A-Fa-f]|%([Cc][3-9A-Fa-f]|[Dd][0-9A-Fa-f])%[89ABab][0-9A-Fa-f]",
            "|%[Ee]0%[ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]|%[Ee][1-9A-Ca-cEeFf](%[89ABab][0-9A-Fa-f]){2}",
            "|%[Ee][Dd]%[89][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]|%[Ff]0%[9ABab][0-9A-Fa-f](%[89ABab][0-9A-Fa-f]){2}",
            "|%[Ff][1-3](%[89ABab][0-9A-Fa-f]){3}|%[Ff]4%8[0-9A-Fa-f](%[89ABab][0-9A-Fa-f]){2})+"
        )
    };
}

/// A source, as JSON Schema can say it.
#[cfg(feature = "schema")]
const SOURCE_PATTERN: &str = concat!("^[!-~]*/workspaces/", id_pattern!(), "/subscriptions/", id_pattern!(), "$");

/// A media type of JSON, as JSON Schema can say it.
#[cfg(feature = "schema")]
const JSON_TYPE_PATTERN: &str = "^ *[Aa][Pp][Pp][Ll][Ii][Cc][Aa][Tt][Ii][Oo][Nn]/[Jj][Ss][Oo][Nn] *(;.*)?$";

impl Named for Attributes {
    const NAME: &'static str = "an object that is a CloudEvent";

    fn may_be_called(name: &str) -> bool {
        name == "data_base64" || name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    }
}

/// The version of the specification that is read: `1.0`, which also stands for its corrections.
#[derive(Debug)]
struct SpecVersion;

impl<'de> Deserialize<'de> for SpecVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bound = TextBound { bound: "1.0", holds: |text| text == "1.0" };
        deserializer.deserialize_str(bound).map(|()| Self)
    }
}

/// A media type of JSON, with any parameters.
#[derive(Debug)]
struct JsonContentType;

impl<'de> Deserialize<'de> for JsonContentType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let holds = |text: &str| {
            let essence = text.split(';').next().unwrap_or_default();
            essence.trim().eq_ignore_ascii_case("application/json")
        };
        deserializer.deserialize_str(TextBound { bound: "application/json", holds }).map(|()| Self)
    }
}

/// Takes one text, or a few.
struct TextBound {
    bound: &'static str,
    holds: fn(&str) -> bool,
}

impl Visitor<'_> for TextBound {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.bound)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if (self.holds)(text) { Ok(()) } else { Err(E::invalid_value(Unexpected::Str(text), &self)) }
    }
}

/// The absence of `data_base64`.
#[derive(Debug, Default)]
struct NoBinary;

impl<'de> Deserialize<'de> for NoBinary {
    fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("is not read here: the data stands in `data`, as a JSON object"))
    }
}

/// Whom the event is about, by its URI.
#[derive(Debug, PartialEq)]
struct Source {
    workspace_id: WorkspaceId,
    subscription_id: SubscriptionId,
}

impl Source {
    /// Reads a URI reference by its end; what goes before is the sender's own.
    fn parse(text: &str) -> Option<Self> {
        let mut segments = text.rsplit('/');
        let subscription_id = SubscriptionId::parse(&percent_decoded(segments.next()?)?).ok()?;
        (segments.next()? == "subscriptions").then_some(())?;
        let workspace_id = WorkspaceId::parse(&percent_decoded(segments.next()?)?).ok()?;
        (segments.next()? == "workspaces").then_some(())?;
        // What is before the slash may be nothing, but the slash is there.
        segments.next()?;
        Some(Self { workspace_id, subscription_id })
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SourceVisitor)
    }
}

struct SourceVisitor;

impl Visitor<'_> for SourceVisitor {
    type Value = Source;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a URI that ends in /workspaces/{workspace_id}/subscriptions/{subscription_id}, percent-encoded")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Source, E> {
        Source::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// The text of a path segment of a URI (RFC 3986, section 3.3), if it is one of UTF-8. A query or a fragment is none.
fn percent_decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let code = digit()? * 16 + digit()?;
                bytes.push(u8::try_from(code).ok()?);
            }
            b'?' | b'#' => return None,
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Completion, Event, FieldError, ParseError, parse_json};

    fn event(replace: &str, with: &str) -> String {
        let event = r#"{"specversion":"1.0","id":"e","type":"attempt.started","subject":"d","time":"2026-01-15T10:30:00Z",
            "source":"https://sender.example/workspaces/ws%2F1/subscriptions/s%C5%BE","data":{"attempt":1}}"#;
        assert!(event.contains(replace), "{replace}");
        event.replace(replace, with)
    }

    fn read(json: &str) -> Result<Event, FieldError> {
        let draft: EventDraft = match parse_json::<CloudEvent>(json.as_bytes()) {
            Ok(event) => event.into(),
            Err(ParseError::Field(error)) => return Err(error),
            Err(error) => panic!("{error}"),
        };
        let received_at = Timestamp::parse("2026-01-15T11:00:00Z").expect("it is a time");
        let completion = Completion { workspace_id: None, received_at, text_cut_bytes: 8 };
        draft.complete(&completion, || panic!("it has an id")).map(|completed| completed.event)
    }

    #[test]
    fn it_is_the_event_that_its_attributes_say() {
        let plain = r#"{"id":"e","kind":"attempt.started","workspace_id":"ws/1","subscription_id":"sž","delivery_id":"d",
            "occurred_at":"2026-01-15T10:30:00Z","data":{"attempt":1}}"#;
        let plain: EventDraft = parse_json(plain.as_bytes()).expect("it is an event");
        assert_eq!(read(&event("", "")), Ok(plain.into_stored().expect("it is whole")));
    }

    #[test]
    fn extensions_and_a_schema_are_allowed_and_not_kept() {
        let plain = read(&event("", ""));
        let more = r#"{"traceparent":"00-0af7","sampledrate":3,"dataschema":"https://x.example/s","datacontenttype":"Application/JSON; charset=utf-8","#;
        assert_eq!(read(&event("", "").replacen('{', more, 1)), plain);
    }

    #[test]
    fn a_refusal_names_the_attribute() {
        let with = |member: &str| event("", "").replacen('{', &format!("{{{member},"), 1);
        let refusals = [
            (event("\"1.0\"", "\"0.3\""), "specversion must be 1.0, not string \"0.3\""),
            (event("\"1.0\"", "1.0"), "specversion must be 1.0, not floating point `1.0`"),
            (event(r#""specversion":"1.0","#, ""), "specversion is missing"),
            (event(r#""id":"e","#, ""), "id is missing"),
            (event(r#""subject":"d","#, ""), "subject is missing"),
            (event(r#""subject":"d""#, r#""subject":"""#), "subject is empty: an id is 1 to 255 bytes"),
            (
                event("\"attempt\":1", "\"attempt\":0"),
                "data.attempt must be an integer from 1 to 1000, not integer `0`",
            ),
            (
                event("2026-01-15", "2026-01-17"),
                "time must be at most 24 h ahead of the ledger's clock, 2026-01-15T11:00:00Z, not 2026-01-17T10:30:00Z",
            ),
            (
                with(r#""datacontenttype":"text/plain""#),
                "datacontenttype must be application/json, not string \"text/plain\"",
            ),
            (
                with(r#""data_base64":"e30=""#),
                "data_base64 is not read here: the data stands in `data`, as a JSON object",
            ),
            (with(r#""occurred_at":"2026-01-15T10:30:00Z""#), "occurred_at is not a known field"),
            (with(r#""Subject":"d""#), "Subject is not a known field"),
            ("[]".to_owned(), "must be an object that is a CloudEvent, not sequence"),
        ];
        for (json, expected) in refusals {
            assert_eq!(read(&json).expect_err("it is refused").to_string(), expected, "{json}");
        }
        let kind = read(&event("attempt.started", "com.example.other")).expect_err("it is none of our kinds");
        assert_eq!(kind.field, "type");
    }

    #[test]
    fn a_source_names_a_workspace_and_a_subscription_by_its_end() {
        let source =
            |text: &str| Source::parse(text).map(|it| (it.workspace_id.to_string(), it.subscription_id.to_string()));
        let both = Some(("w".to_owned(), "s".to_owned()));
        assert_eq!(source("/workspaces/w/subscriptions/s"), both);
        assert_eq!(source("urn:x/workspaces/v/subscriptions/t/workspaces/w/subscriptions/s"), both);
        for text in [
            "",
            "/",
            "workspaces/w/subscriptions/s",
            "/workspaces/w/subscriptions/s/",
            "/workspaces//subscriptions/s",
            "/workspaces/w/subscriptions/",
            "/workspaces/w/subscriptions/s?x",
            "/workspaces/w/subscriptions/s#x",
            "/workspaces/w/subscriptions/%",
            "/workspaces/w/subscriptions/%4",
            "/workspaces/w/subscriptions/%+4",
            "/workspaces/w/subscriptions/%ff",
            "/workspaces/w/subscriptions/%00",
            "/Workspaces/w/subscriptions/s",
        ] {
            assert_eq!(source(text), None, "{text}");
        }
        let refusal = read(&event("/subscriptions/", "/hooks/")).expect_err("it is refused");
        assert_eq!(refusal.field, "source");
    }
}
