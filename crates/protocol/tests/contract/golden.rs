//! What is on the wire, byte by byte: `tests/golden/` holds every message in both codecs.
//!
//! `PARLOR_WRITE_GOLDEN=1 cargo test -p parlor-protocol golden` writes the files anew. A change in
//! them is a change of the protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use parlor_protocol::{
    Codec, EventFrame, EventType, Request, RequestType, ServerMessage, read_server_message,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::samples::{
    Sample, events, id, read_from_server, read_one, refusals, requests, responses,
};

#[test]
fn golden_files_hold_every_message_as_it_is_sent() {
    let samples = requests().into_iter().chain(responses()).chain(events());
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for Sample { name, .. } in requests().iter().chain(&responses()).chain(&events()) {
        assert!(!files.contains_key(name), "{name} twice");
    }
    for sample in samples {
        add_files(&mut files, &sample.name, |codec| sample.encode(codec));
    }
    for (name, _, encode) in refusals() {
        add_files(&mut files, &name, encode);
    }

    if env::var_os("PARLOR_WRITE_GOLDEN").is_some() {
        for (name, content) in &files {
            fs::write(golden().join(name), content).expect("the folder is writable");
        }
    }
    for (name, content) in &files {
        let on_disk = fs::read_to_string(golden().join(name));
        assert_eq!(
            &on_disk.unwrap_or_default(),
            content,
            "{name}: see the first lines of this file"
        );
    }
    let on_disk: BTreeSet<String> = fs::read_dir(golden())
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("a name"))
        .collect();
    assert_eq!(on_disk, files.into_keys().collect(), "a file that no message belongs to");
}

#[test]
fn every_type_of_message_has_a_golden_file() {
    let has = |samples: &[Sample], name: String| samples.iter().any(|sample| sample.name == name);
    let (requests, responses, events) = (requests(), responses(), events());
    for kind in RequestType::ALL {
        assert!(has(&requests, format!("request_{kind}")), "{kind}");
        assert!(has(&responses, format!("response_{kind}")), "{kind}");
    }
    for kind in EventType::ALL {
        assert!(has(&events, format!("event_{kind}")), "{kind}");
    }
}

#[test]
fn a_request_that_is_sent_is_the_request_that_is_parsed() {
    for sample in requests() {
        for codec in Codec::ALL {
            let bytes = sample.encode(codec);
            let envelope = read_one(codec, &bytes);
            assert_eq!(envelope.id, Some(id()));
            sample.check_same(envelope.data);
            let request = Request::parse(&envelope).expect("a request");
            assert_eq!(format!("request_{}", request.kind()), sample.name);
        }
    }
}

#[test]
fn a_response_or_event_that_is_sent_is_the_one_that_is_read() {
    for sample in responses().into_iter().chain(events()) {
        for codec in Codec::ALL {
            let bytes = sample.encode(codec);
            let (name, data) = read_from_server(codec, &bytes);
            assert!(sample.name.starts_with(&name), "{name} for {}", sample.name);
            sample.check_same(data);
        }
    }
}

#[test]
fn a_response_echoes_the_id_and_an_event_its_number() {
    for codec in Codec::ALL {
        for sample in responses() {
            match read_server_message(codec, &sample.encode(codec)) {
                Ok(ServerMessage::Response { id: Some(echoed), .. }) => assert_eq!(echoed, id()),
                other => panic!("{}: {other:?}", sample.name),
            }
        }
        for (sample, kind) in events().into_iter().zip(EventType::ALL) {
            match read_server_message(codec, &sample.encode(codec)) {
                Ok(ServerMessage::Event { kind: name, seq, .. }) => {
                    assert_eq!(name, kind.as_str());
                    assert_eq!(seq, kind.has_seq().then_some(42));
                }
                other => panic!("{}: {other:?}", sample.name),
            }
        }
    }
}

#[test]
fn a_refusal_that_is_sent_is_the_one_that_is_read() {
    for (name, sent, encode) in refusals() {
        for codec in Codec::ALL {
            let bytes = encode(codec);
            let read = match read_server_message(codec, &bytes).expect("a message") {
                ServerMessage::Response { outcome: Err(error), .. } if name != "unreadable" => {
                    error
                }
                ServerMessage::Unreadable(error) if name == "unreadable" => error,
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(read, sent, "{name}");
        }
    }
}

#[test]
fn both_codecs_write_the_same_tree() {
    for sample in requests().into_iter().chain(responses()).chain(events()) {
        assert_eq!(
            json_tree(&sample.encode(Codec::Json)),
            msgpack_tree(&sample.encode(Codec::MsgPack)),
            "{}",
            sample.name
        );
    }
    for (name, _, encode) in refusals() {
        assert_eq!(
            json_tree(&encode(Codec::Json)),
            msgpack_tree(&encode(Codec::MsgPack)),
            "{name}"
        );
    }
}

/// The kinds of data that games send: enums in every representation, nested options, tuples, a
/// map whose keys are strings.
#[test]
fn what_a_game_sends_is_the_same_tree_in_both_codecs_and_comes_back() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(rename_all = "camelCase")]
    enum Plain {
        Pass,
        Bid(u8),
        Move { from: (i8, i8), to: (i8, i8) },
    }
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(tag = "name", content = "data")]
    enum Adjacent {
        Rolled { dice: Vec<u8> },
        Banked(u32),
        Farkled,
    }
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(tag = "kind")]
    enum Internal {
        Dot { x: f64 },
        Gone,
    }
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct View {
        scores: BTreeMap<String, i64>,
        plain: Vec<Plain>,
        adjacent: Vec<Adjacent>,
        internal: Vec<Internal>,
        board: [Option<char>; 3],
        nested: Option<Option<()>>,
        large: u64,
    }

    let view = View {
        scores: BTreeMap::from([("1".into(), -50), ("12".into(), 1 << 40)]),
        plain: vec![Plain::Pass, Plain::Bid(3), Plain::Move { from: (0, -1), to: (7, 7) }],
        adjacent: vec![
            Adjacent::Rolled { dice: vec![1, 5] },
            Adjacent::Banked(300),
            Adjacent::Farkled,
        ],
        internal: vec![Internal::Dot { x: 0.1 }, Internal::Gone],
        board: [Some('X'), None, Some('⚅')],
        nested: None,
        large: (1 << 53) - 1,
    };
    let frame = EventFrame { kind: EventType::RoomState, seq: Some(1), data: &view };
    let json = Codec::Json.encode(&frame).expect("it encodes");
    let msgpack = Codec::MsgPack.encode(&frame).expect("it encodes");

    assert_eq!(json_tree(&json), msgpack_tree(&msgpack));
    for (codec, bytes) in [(Codec::Json, &json), (Codec::MsgPack, &msgpack)] {
        let (_, data) = read_from_server(codec, bytes);
        assert_eq!(data.decode::<View>().expect("it decodes"), view);
    }
}

#[test]
fn encoding_appends_and_a_failure_leaves_nothing_behind() {
    for codec in Codec::ALL {
        let mut out = b"before".to_vec();
        codec.encode_into(&[1, 2], &mut out).expect("it encodes");
        assert_eq!(out[..6], *b"before");
        assert_eq!(out[6..], codec.encode(&[1, 2]).expect("it encodes"));

        let length = out.len();
        assert!(codec.encode_into(&Refuses, &mut out).is_err());
        assert_eq!(out.len(), length);
    }
}

/// Writes something, then fails.
struct Refuses;

impl Serialize for Refuses {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{Error, SerializeSeq};
        let mut seq = serializer.serialize_seq(Some(2))?;
        seq.serialize_element("half")?;
        Err(S::Error::custom("no"))
    }
}

fn add_files(files: &mut BTreeMap<String, String>, name: &str, encode: impl Fn(Codec) -> Vec<u8>) {
    let json = String::from_utf8(encode(Codec::Json)).expect("JSON is text");
    files.insert(format!("{name}.json"), json + "\n");
    files.insert(format!("{name}.msgpack.hex"), hex(&encode(Codec::MsgPack)));
}

/// 32 bytes a line, so that a difference can be found.
fn hex(bytes: &[u8]) -> String {
    bytes.chunks(32).fold(String::new(), |mut text, line| {
        for byte in line {
            write!(text, "{byte:02x}").expect("a string takes all");
        }
        text + "\n"
    })
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn json_tree(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

fn msgpack_tree(bytes: &[u8]) -> Value {
    rmp_serde::from_slice(bytes).expect("MessagePack")
}
