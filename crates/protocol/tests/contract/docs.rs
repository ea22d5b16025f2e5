//! The examples in `docs/protocol.md` are messages, and there is one of every kind.

use std::collections::BTreeSet;

use parlor_protocol::{
    Codec, ErrorCode, EventType, Request, RequestType, ServerMessage, read_server_message,
};

use crate::samples::{Sample, events, read_one, responses};

const DOCS: &str = include_str!("../../../../docs/protocol.md");

/// The fenced blocks of the page with this info string.
fn blocks(info: &str) -> Vec<&'static str> {
    let open = format!("```{info}\n");
    DOCS.split(open.as_str())
        .skip(1)
        .map(|rest| rest.split_once("```").expect("a block ends").0)
        .collect()
}

#[test]
fn every_request_has_an_example_that_is_taken() {
    let mut seen = BTreeSet::new();
    for text in blocks("json request") {
        let envelope = read_one(Codec::Json, text.as_bytes());
        let request = Request::parse(&envelope).unwrap_or_else(|error| panic!("{error}: {text}"));
        seen.insert(request.kind());
    }
    assert_eq!(seen, RequestType::ALL.iter().copied().collect());
}

#[test]
fn every_response_has_an_example_of_its_shape() {
    let samples = responses();
    let mut seen = BTreeSet::new();
    for text in blocks("json response") {
        match read_server_message(Codec::Json, text.as_bytes()).expect("a message") {
            ServerMessage::Response { kind, outcome: Ok(data), .. } => {
                let kind = RequestType::from_wire(&kind).expect("a request's type");
                shape(&samples, &format!("response_{kind}"))
                    .decode(data)
                    .unwrap_or_else(|error| panic!("{error}: {text}"));
                seen.insert(kind);
            }
            ServerMessage::Response { outcome: Err(error), .. }
            | ServerMessage::Unreadable(error) => {
                assert!(ErrorCode::ALL.iter().any(|(code, _)| *code == error.code), "{text}");
                assert_eq!(error.retryable, error.code.retryable(), "{text}");
            }
            ServerMessage::Event { .. } => panic!("an event: {text}"),
        }
    }
    assert_eq!(seen, RequestType::ALL.iter().copied().collect());
}

#[test]
fn every_event_has_an_example_of_its_shape() {
    let samples = events();
    let mut seen = BTreeSet::new();
    for text in blocks("json event") {
        match read_server_message(Codec::Json, text.as_bytes()).expect("a message") {
            ServerMessage::Event { kind, seq, data } => {
                let kind = EventType::from_wire(&kind).expect("an event's type");
                assert_eq!(seq.is_some(), kind.has_seq(), "{text}");
                shape(&samples, &format!("event_{kind}"))
                    .decode(data)
                    .unwrap_or_else(|error| panic!("{error}: {text}"));
                seen.insert(kind);
            }
            other => panic!("{other:?}: {text}"),
        }
    }
    assert_eq!(seen, EventType::ALL.iter().copied().collect());
}

#[test]
fn every_error_code_and_close_code_is_on_the_page() {
    for (code, _) in ErrorCode::ALL {
        assert!(DOCS.contains(&format!("`{code}`")), "{code}");
    }
    for code in parlor_protocol::CloseCode::ALL {
        assert!(DOCS.contains(&format!("| {} |", code.as_u16())), "{code:?}");
    }
}

/// A fence with another info string would be an example that nothing checks.
#[test]
fn every_example_in_json_is_checked() {
    let all = DOCS.matches("```json").count();
    let checked = ["json request", "json response", "json event"].map(|info| blocks(info).len());
    assert_eq!(all, checked.iter().sum::<usize>());
}

fn shape<'s>(samples: &'s [Sample], name: &str) -> &'s Sample {
    samples.iter().find(|sample| sample.name == name).expect("a sample of every message")
}
