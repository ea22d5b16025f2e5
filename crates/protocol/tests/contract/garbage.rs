//! Whatever bytes a client sends: an answer, never a panic. And both codecs judge alike.

use parlor_protocol::limits::FrameLimits;
use parlor_protocol::{Codec, Object, Request, read_frame, read_server_message};
use proptest::prelude::*;
use serde_json::Value;

use crate::samples::{events, requests, responses};

/// Does all that a server does with a frame before a room is asked, and all that a client does.
fn devour(codec: Codec, bytes: &[u8]) {
    if let Ok(frame) = read_frame(codec, bytes, &FrameLimits::default()) {
        for envelope in frame.requests().flatten() {
            if let Ok(Request::GameAction(data)) = Request::parse(&envelope) {
                // What was let through is well-formed, so that it decodes into a tree. The one
                // exception is a JSON number beyond every float, which is an error too.
                if let Err(errors) = data.decode::<Object>() {
                    assert!(errors.iter().next().is_some());
                }
            }
        }
    }
    if let Ok(parlor_protocol::ServerMessage::Event { data, .. }) =
        read_server_message(codec, bytes)
    {
        drop(data.decode::<Object>());
    }
}

fn codec() -> impl Strategy<Value = Codec> {
    prop_oneof![Just(Codec::Json), Just(Codec::MsgPack)]
}

/// Bytes that look like what the parsers look for, more often than chance has it.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragments: [&[u8]; 31] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b"\\",
        b",",
        b":",
        b"\"type\"",
        b"\"game_action\"",
        b"\"data\"",
        b"\"id\"",
        b"1e999",
        b"\\ud800",
        b"null",
        b"-0.0",
        b" ",
        b"\xff",
        b"\x81",
        b"\x82",
        b"\x91",
        b"\xa4type",
        b"\xabgame_action",
        b"\xa4data",
        b"\xa2id",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\x7f\xff\xff\xff",
        b"\xdb\0\0\0\x01",
        b"\xcb\x7f\xf8\0\0\0\0\0\0",
        b"\xc1",
        b"\xc7\x01\x01\x01",
    ];
    let fragment = prop::sample::select(fragments.to_vec());
    prop::collection::vec(fragment, 0..40).prop_map(|parts| parts.concat())
}

/// A valid message with some bytes changed, cut off or doubled.
fn mutated() -> impl Strategy<Value = (Codec, Vec<u8>)> {
    let valid: Vec<(Codec, Vec<u8>)> = requests()
        .into_iter()
        .chain(responses())
        .chain(events())
        .flat_map(|sample| Codec::ALL.map(|codec| (codec, sample.encode(codec))))
        .collect();
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    (prop::sample::select(valid), prop::collection::vec(change, 1..6)).prop_map(
        |((codec, mut bytes), changes)| {
            for (index, byte, how) in changes {
                if bytes.is_empty() {
                    break;
                }
                let at = index.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.truncate(at),
                    2 => bytes.insert(at, byte),
                    _ => bytes.extend_from_within(at..),
                }
                bytes.truncate(4096);
            }
            (codec, bytes)
        },
    )
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let key = prop_oneof![
            Just("type".to_owned()),
            Just("data".to_owned()),
            Just("id".to_owned()),
            ".{0,4}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(codec in codec(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        devour(codec, &bytes);
    }

    #[test]
    fn random_fragments_never_panic(codec in codec(), bytes in fragments()) {
        devour(codec, &bytes);
    }

    #[test]
    fn mutated_messages_never_panic((codec, bytes) in mutated()) {
        devour(codec, &bytes);
    }

    /// Equal trees are read alike: the same requests, the same refusals, the same errors.
    #[test]
    fn both_codecs_judge_a_tree_alike(tree in tree()) {
        let judged = Codec::ALL.map(|codec| {
            let bytes = codec.encode(&tree).expect("a tree encodes");
            read_frame(codec, &bytes, &FrameLimits::default()).map(|frame| {
                let requests = frame.requests().map(|request| {
                    request.map(|envelope| {
                        let data = envelope.data.decode::<Object>();
                        (envelope.kind.into_owned(), envelope.id, data)
                    })
                });
                requests.collect::<Vec<_>>()
            })
        });
        prop_assert_eq!(&judged[0], &judged[1]);
    }
}

#[test]
fn nesting_of_any_depth_is_survived() {
    for (codec, open) in [
        (Codec::Json, &b"["[..]),
        (Codec::Json, b"{\"a\":"),
        (Codec::MsgPack, b"\x91"),
        (Codec::MsgPack, b"\x81\xa1a"),
    ] {
        let bytes = open.repeat(1_000_000);
        let limits = FrameLimits { message_bytes_max: bytes.len(), nesting_max: u8::MAX };
        assert!(read_frame(codec, &bytes, &limits).is_err(), "{codec:?}");
        assert!(read_server_message(codec, &bytes).is_err(), "{codec:?}");
    }
}

/// Each cut of each message, since a frame that ends early is the commonest kind of broken.
#[test]
fn no_beginning_of_a_message_is_a_message() {
    for sample in requests() {
        for codec in Codec::ALL {
            let bytes = sample.encode(codec);
            for end in 0..bytes.len() {
                let frame = read_frame(codec, &bytes[..end], &FrameLimits::default());
                let readable =
                    frame.is_ok_and(|frame| frame.requests().any(|request| request.is_ok()));
                assert!(!readable, "{} cut at {end}", sample.name);
            }
        }
    }
}
