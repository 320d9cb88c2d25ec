//! A line becomes an event that can be appended again without harm.
//!
//! A line without an `id` gets one that follows from what it says: `evt_` and 128 bits of BLAKE3, in hexadecimal, of
//! the event in canonical JSON. So the same line has the same id at every run, in every file, whatever its white
//! space, the order of its fields or the offsets of its times; the workspace is left out, since an id stands within
//! one. Such a line must say when it happened: otherwise two things that are alike would be one, and the time of
//! each run would make it another.

use std::collections::BTreeMap;

use ledger_event::{
    CompletedEvent, Completion, Event, EventDraft, EventId, FieldError, ParseError, Timestamp, WorkspaceId, parse_json,
};
use serde_json::value::RawValue;

use super::batches::BatchBounds;
use crate::clock;

/// What the ids are hashed under, so that no other hash of the same bytes is one of them. It never changes.
const ID_CONTEXT: &str = "hookledger ingest 2026-01 id of a line without one";

/// Bytes of the hash that are in an id.
const ID_HASH_BYTES: usize = 16;

/// Stands for what is not part of a line's content, and for what the server will fill in.
const PLACEHOLDER: &str = "-";

/// An event, ready to be appended.
#[derive(Debug)]
pub(super) enum Prepared {
    /// For the log of a folder.
    Event(Box<CompletedEvent>),
    /// For a server: a line of its own, without a line break.
    Line(Vec<u8>),
}

/// How lines are prepared.
#[derive(Clone, Debug)]
pub(super) enum Rules {
    /// Completed as the server would, and cut.
    Complete {
        /// The workspace of lines that name none.
        workspace_id: Option<WorkspaceId>,
        /// Where texts are cut, in bytes.
        text_cut_bytes: usize,
    },
    /// Checked, and sent as they are, but for an id and a workspace where they lack one.
    Check {
        /// The workspace of lines that name none; the token's when it is absent.
        workspace_id: Option<WorkspaceId>,
    },
}

impl Rules {
    /// Chunks of the log are small, requests over HTTP are worth their round trip.
    pub(super) fn batch_bounds(&self) -> BatchBounds {
        match self {
            Rules::Complete { .. } => BatchBounds { max_events: 1_000, max_bytes: 1024 * 1024 },
            Rules::Check { .. } => BatchBounds { max_events: 5_000, max_bytes: 8 * 1024 * 1024 },
        }
    }

    /// Prepares one line, or says what is wrong with it.
    pub(super) fn prepare(&self, line: &[u8]) -> Result<Prepared, String> {
        match self {
            Rules::Complete { workspace_id, text_cut_bytes } => {
                let completion = Completion {
                    workspace_id: workspace_id.clone(),
                    received_at: clock::now(),
                    text_cut_bytes: *text_cut_bytes,
                };
                Ok(Prepared::Event(Box::new(complete(line, &completion)?.0)))
            }
            Rules::Check { workspace_id } => check(line, workspace_id.as_ref()).map(Prepared::Line),
        }
    }
}

/// Completes a line, and tells whether its id had to be derived.
fn complete(line: &[u8], completion: &Completion) -> Result<(CompletedEvent, bool), String> {
    let (mut completed, lacks_id) = complete_as_sent(line, completion)?;
    if lacks_id {
        if !completed.occurred_at_given {
            let problem = "is missing: a line without an id needs it, since its id is derived from what it says";
            return Err(FieldError::new("occurred_at", problem).to_string());
        }
        // The id is of what the line says in full, wherever texts are cut.
        let whole = Completion { text_cut_bytes: usize::MAX, ..completion.clone() };
        completed.event.id = derive_id(complete_as_sent(line, &whole)?.0.event);
    }
    Ok((completed, lacks_id))
}

fn complete_as_sent(line: &[u8], completion: &Completion) -> Result<(CompletedEvent, bool), String> {
    let draft: EventDraft = parse_json(line).map_err(|error| describe(&error))?;
    let mut lacks_id = false;
    let completed = draft.complete(completion, || {
        lacks_id = true;
        placeholder_id()
    });
    let completed = completed.map_err(|error| match error.field.as_ref() {
        "workspace_id" => format!("{error}: `--workspace` fills it in"),
        _ => error.to_string(),
    })?;
    Ok((completed, lacks_id))
}

/// Checks a line for a server, and fills in what it lacks.
fn check(line: &[u8], workspace_id: Option<&WorkspaceId>) -> Result<Vec<u8>, String> {
    let completion = Completion {
        // Whether a workspace may be left out is for the server to say, which knows the token.
        workspace_id: Some(placeholder_workspace()),
        // And so is the time.
        received_at: Timestamp::parse("9999-12-30T00:00:00Z").expect("it is a time"),
        text_cut_bytes: usize::MAX,
    };
    let (completed, lacks_id) = complete(line, &completion)?;
    let lacks_workspace = completed.event.workspace_id.as_str() == PLACEHOLDER;
    let new_id = lacks_id.then(|| completed.event.id.as_str());
    let new_workspace = workspace_id.filter(|_| lacks_workspace).map(WorkspaceId::as_str);
    if new_id.is_none() && new_workspace.is_none() {
        return Ok(line.to_vec());
    }
    let mut fields: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(line).map_err(|error| format!("not JSON: {error}"))?;
    for (name, value) in [("id", new_id), ("workspace_id", new_workspace)] {
        let Some(value) = value else { continue };
        let value = serde_json::value::to_raw_value(value).expect("text is JSON");
        fields.insert(name.to_owned(), value);
    }
    Ok(serde_json::to_vec(&fields).expect("a map of JSON is JSON"))
}

/// The id that follows from what an event says.
fn derive_id(mut event: Event) -> EventId {
    event.id = placeholder_id();
    event.workspace_id = placeholder_workspace();
    let content = serde_json::to_vec(&event).expect("an event is JSON");
    let hash = blake3::Hasher::new_derive_key(ID_CONTEXT).update(&content).finalize();
    let digits = hash.to_hex();
    EventId::parse(&format!("evt_{}", &digits[..2 * ID_HASH_BYTES])).expect("it is 36 plain bytes")
}

fn placeholder_id() -> EventId {
    EventId::parse(PLACEHOLDER).expect("it is an id")
}

fn placeholder_workspace() -> WorkspaceId {
    WorkspaceId::parse(PLACEHOLDER).expect("it is an id")
}

/// What a parser says of a line by itself: there is no other line in it.
fn describe(error: &ParseError) -> String {
    match error {
        ParseError::Syntax { reason, .. } => {
            format!("not JSON: {}", reason.replace(" at line 1 column ", " at column "))
        }
        ParseError::Field(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AROUND: &str = r#""kind":"attempt.started","subscription_id":"s","delivery_id":"d""#;

    fn log_rules(workspace: Option<&str>) -> Rules {
        let workspace_id = workspace.map(|id| WorkspaceId::parse(id).expect("it is an id"));
        Rules::Complete { workspace_id, text_cut_bytes: 1024 }
    }

    fn event(line: &str) -> Event {
        match log_rules(Some("ws_1")).prepare(line.as_bytes()) {
            Ok(Prepared::Event(completed)) => completed.event,
            other => panic!("it is an event: {other:?}"),
        }
    }

    fn sent(line: &str, workspace: Option<&str>) -> String {
        let workspace_id = workspace.map(|id| WorkspaceId::parse(id).expect("it is an id"));
        match (Rules::Check { workspace_id }).prepare(line.as_bytes()) {
            Ok(Prepared::Line(line)) => String::from_utf8(line).expect("it is text"),
            other => panic!("it is a line: {other:?}"),
        }
    }

    #[test]
    fn an_id_follows_from_what_the_line_says_and_from_nothing_else() {
        let line = format!(r#"{{{AROUND},"occurred_at":"2026-01-15T10:30:00Z","data":{{"attempt":1}}}}"#);
        let same = format!(
            r#"{{ "data": {{"attempt": 1}}, "position": 7, "id": null, "workspace_id": "ws_2", "occurred_at":"2026-01-15T12:30:00.000+02:00", {AROUND} }}"#
        );
        let id = event(&line).id;
        assert_eq!(id, event(&same).id);
        // It is kept for ever: files are ingested again by later versions.
        assert_eq!(id.as_str(), "evt_c280ed14a9ecdc3727bd005e54f64c1e");
        assert_ne!(id, event(&line.replace("10:30:00Z", "10:30:01Z")).id);
        assert_ne!(id, event(&line.replace("\"attempt\":1", "\"attempt\":2")).id);
    }

    #[test]
    fn an_id_does_not_depend_on_where_texts_are_cut_and_is_the_same_for_a_server() {
        let long = "x".repeat(2000);
        let line = format!(
            r#"{{"kind":"delivery.cancelled","subscription_id":"s","delivery_id":"d","occurred_at":"2026-01-15T10:30:00Z","data":{{"reason":"{long}"}}}}"#
        );
        let cut = event(&line).id;
        assert_ne!(cut, event(&line.replace("xxx\"", "xxy\"")).id, "it is of the whole text");
        let sent = sent(&line, None);
        assert!(sent.contains(&format!("\"id\":\"{cut}\"")) && sent.contains(&long), "{sent}");
    }

    #[test]
    fn a_line_that_lacks_nothing_is_sent_as_it_is() {
        let whole = format!(r#"{{ "id":"e" , "workspace_id":"ws_1",{AROUND},"data":{{"attempt":1}}}}"#);
        assert_eq!(sent(&whole, Some("ws_2")), whole);
        let without_workspace = format!(r#"{{"id":"e",{AROUND},"data":{{"attempt":1}}}}"#);
        assert_eq!(sent(&without_workspace, None), without_workspace);
        assert!(sent(&without_workspace, Some("ws_2")).contains(r#""workspace_id":"ws_2""#));
    }

    #[test]
    fn a_payload_is_sent_to_the_letter_when_the_line_is_filled_in() {
        let payload = r#"{"b": 1.0e+2, "a": 12345678901234567890123, "c": "\u00e9"}"#;
        let line = format!(
            r#"{{"kind":"delivery.created","subscription_id":"s","delivery_id":"d","occurred_at":"2026-01-15T10:30:00Z","data":{{"event_type":"t","payload":{payload}}}}}"#
        );
        assert!(sent(&line, Some("ws_1")).contains(payload));
    }

    #[test]
    fn what_is_missing_is_named_with_the_way_out() {
        let refusal = |rules: Rules, line: String| rules.prepare(line.as_bytes()).expect_err("it is refused");
        let no_time = refusal(log_rules(Some("ws_1")), format!(r#"{{{AROUND},"data":{{"attempt":1}}}}"#));
        assert!(no_time.starts_with("occurred_at is missing: a line without an id needs it"), "{no_time}");
        let no_workspace = refusal(log_rules(None), format!(r#"{{"id":"e",{AROUND},"data":{{"attempt":1}}}}"#));
        assert_eq!(no_workspace, "workspace_id is missing: `--workspace` fills it in");
        let not_json = refusal(log_rules(None), "{\"id\":\"e".to_owned());
        assert_eq!(not_json, "not JSON: EOF while parsing a string at column 8");
    }
}
