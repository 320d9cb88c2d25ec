//! The form of an answer, as the request's `Accept` asks for it.

use http::HeaderMap;
use http::header::ACCEPT;

/// The media type of the live tail.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// What is there.
    Page(PageForm),
    /// What is there and what comes.
    EventStream,
}

/// The form of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageForm {
    /// An event a line.
    NdJson,
    /// One object with a list of events.
    Json,
}

/// The request accepts nothing that is answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events are answered as application/x-ndjson, application/json or text/event-stream")]
pub(crate) struct NotAcceptable;

impl PageForm {
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::NdJson => "application/x-ndjson",
            Self::Json => "application/json",
        }
    }
}

impl Form {
    /// The form that the request likes best, of those it likes the same the first; NDJSON when it does not say.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, NotAcceptable> {
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut ranges = values.flat_map(|value| value.split(',')).filter(|range| !range.trim().is_empty()).peekable();
        if ranges.peek().is_none() {
            return Ok(Self::Page(PageForm::NdJson));
        }
        let mut best: Option<(f32, Self)> = None;
        for (quality, form) in ranges.filter_map(accepted) {
            if best.is_none_or(|(found, _)| quality > found) {
                best = Some((quality, form));
            }
        }
        best.map(|(_, form)| form).ok_or(NotAcceptable)
    }
}

/// What a media range asks for (RFC 9110, section 12.5.1), and how much; `None` when that is nothing of ours.
fn accepted(range: &str) -> Option<(f32, Form)> {
    let mut parts = range.split(';').map(str::trim);
    let form = match parts.next()?.to_ascii_lowercase().as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/*" | "*/*" => Form::Page(PageForm::NdJson),
        "application/json" => Form::Page(PageForm::Json),
        EVENT_STREAM => Form::EventStream,
        _ => return None,
    };
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let quality = quality.map_or(1.0, |text| text.parse().unwrap_or(0.0));
    (quality > 0.0).then_some((quality, form))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form_of(accept: &str) -> Result<Form, NotAcceptable> {
        let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().expect("it is a header value"))]);
        Form::of(&headers)
    }

    #[test]
    fn a_request_that_does_not_mind_gets_ndjson() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for accept in ["", "*/*", "application/*", "application/x-ndjson", "application/ndjson; charset=utf-8", browser]
        {
            assert_eq!(form_of(accept), Ok(Form::Page(PageForm::NdJson)), "{accept}");
        }
        assert_eq!(Form::of(&HeaderMap::new()), Ok(Form::Page(PageForm::NdJson)));
    }

    #[test]
    fn the_form_that_is_liked_best_is_given() {
        assert_eq!(form_of("application/json"), Ok(Form::Page(PageForm::Json)));
        assert_eq!(form_of("Text/Event-Stream"), Ok(Form::EventStream));
        assert_eq!(form_of("application/json;q=0.5, text/event-stream"), Ok(Form::EventStream));
        assert_eq!(form_of("application/json, */*"), Ok(Form::Page(PageForm::Json)));
        assert_eq!(form_of("text/event-stream;q=0, application/json;q=0.1"), Ok(Form::Page(PageForm::Json)));
    }

    #[test]
    fn what_is_not_answered_here_is_refused() {
        for accept in ["text/html", "text/csv, application/json;q=0", "nonsense"] {
            assert_eq!(form_of(accept), Err(NotAcceptable), "{accept}");
        }
    }
}
