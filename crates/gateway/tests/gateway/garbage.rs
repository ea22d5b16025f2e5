//! Whatever bytes a client sends: one structured answer for each request, or a close with its code.

use std::time::Duration;

use parlor_gateway::Handled;
use parlor_protocol::limits::{BATCH_REQUESTS_MAX, FrameLimits, MESSAGE_BYTES_MAX, NESTING_MAX};
use parlor_protocol::{Codec, FrameKind, read_frame};
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, gateway, gateway_with, pass, roomy};

/// The responses that wait; events are dropped.
fn responses(client: &mut Client) -> Vec<Value> {
    client.drain().into_iter().filter(|message| message.get("success").is_some()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_answered_once_and_the_socket_stays_open() {
    let gateway = gateway(&Probe::default());
    let deep = |levels: usize| {
        format!(r#"{{"type":"ping","data":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels))
    };
    let frames: Vec<Vec<u8>> = [
        "",
        " ",
        "{",
        "}",
        "null",
        "1",
        "\"ping\"",
        "[]",
        "[[]]",
        "[1]",
        "[{}]",
        "{}",
        r#"{"type":5}"#,
        r#"{"type":null}"#,
        r#"{"data":{}}"#,
        r#"{"type":"ping","id":0}"#,
        r#"{"type":"ping","id":-1}"#,
        r#"{"type":"ping","id":1.5}"#,
        r#"{"type":"ping","id":"1"}"#,
        r#"{"type":"ping","id":9007199254740992}"#,
        r#"{"type":"ping"} x"#,
        r#"{"type":"ping","type":"ping"}"#,
        "\u{feff}{}",
        r#"[[{"type":"ping"}]]"#,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([
        vec![0xff, 0xfe],
        format!(r#"{{"type":"{}"}}"#, "x".repeat(65)).into_bytes(),
        deep(usize::from(NESTING_MAX)).into_bytes(),
        deep(8000).into_bytes(),
        vec![b' '; MESSAGE_BYTES_MAX + 1],
        Codec::Json.encode(&vec![json!({"type": "ping"}); BATCH_REQUESTS_MAX + 1]).unwrap(),
    ])
    .collect();
    for frame in frames {
        // Each on a socket of its own, so that none is closed for the number of them.
        let mut client = Client::connect(&gateway, Codec::Json);
        client.send_bytes(&frame).await;
        let answers = responses(&mut client);
        let text = String::from_utf8_lossy(&frame[..frame.len().min(60)]).into_owned();
        assert_eq!(answers.len(), 1, "{text}: {answers:?}");
        assert_eq!(answers[0]["type"], "error", "{text}");
        assert_eq!(answers[0]["error"]["code"], "BAD_REQUEST", "{text}");
        assert_eq!(answers[0].get("id"), None);
        client.must("ping", json!({})).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_of_the_wrong_kind_is_a_bad_request_and_no_closed_socket() {
    let gateway = gateway(&Probe::default());
    for (codec, kind) in [(Codec::Json, FrameKind::Binary), (Codec::MsgPack, FrameKind::Text)] {
        let mut client = Client::connect(&gateway, codec);
        let ping = codec.encode(&json!({"type": "ping"})).unwrap();
        assert!(matches!(client.connection.handle(kind, &ping), Handled::Done));
        let answers = responses(&mut client);
        assert_eq!((answers.len(), &answers[0]["error"]["code"]), (1, &json!("BAD_REQUEST")));
        client.must("ping", json!({})).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_one_to_thirty_two_is_answered_request_by_request() {
    let gateway = gateway(&Probe::default());
    for codec in Codec::ALL {
        let mut client = Client::connect(&gateway, codec);
        for count in 1..=BATCH_REQUESTS_MAX {
            let ids: Vec<_> = (1..=count as u64).collect();
            let batch: Vec<_> = ids.iter().map(|id| json!({"type": "ping", "id": id})).collect();
            client.send(&json!(batch)).await;
            let answered: Vec<_> =
                responses(&mut client).iter().map(|r| r["id"].as_u64().unwrap()).collect();
            assert_eq!(answered, ids);
        }
        for bad in [
            json!([]),
            json!(vec![json!({"type": "ping"}); BATCH_REQUESTS_MAX + 1]),
            json!([[{"type": "ping"}]]),
            json!([{"type": "ping"}, [{"type": "ping"}]]),
        ] {
            client.send(&bad).await;
            let answers = responses(&mut client);
            assert_eq!((answers.len(), &answers[0]["type"]), (1, &json!("error")), "{bad}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn twenty_unreadable_frames_in_ten_seconds_close_and_nineteen_do_not() {
    let gateway = gateway(&Probe::default());
    let mut slow = Client::connect(&gateway, Codec::Json);
    for _ in 0..3 {
        for _ in 0..19 {
            slow.send_bytes(b"?").await;
        }
        assert_eq!(slow.close_code(), None);
        pass(Duration::from_millis(10_001)).await;
    }
    assert_eq!(responses(&mut slow).len(), 57);

    let mut fast = Client::connect(&gateway, Codec::MsgPack);
    for _ in 0..25 {
        fast.send_bytes(&[0xc1]).await;
    }
    assert_eq!(responses(&mut fast).len(), 20, "each was answered, and none after the close");
    assert_eq!(fast.close_code(), Some(4400));
}

#[tokio::test(start_paused = true)]
async fn one_who_asks_too_fast_is_refused_for_a_while_and_closed_if_it_goes_on() {
    let mut config = roomy();
    config.requests_per_second = 10;
    config.requests_burst = 20;
    let gateway = gateway_with(&Probe::default(), config);
    let mut client = Client::connect(&gateway, Codec::Json);
    for _ in 0..20 {
        client.must("ping", json!({})).await;
    }
    let error = client.refused("ping", json!({})).await;
    assert_eq!((&error["code"], &error["retryable"]), (&json!("RATE_LIMITED"), &json!(true)));
    let wait = error["details"]["retryAfterMs"].as_u64().unwrap();
    assert_eq!(wait, 100);
    let unknown = client.refused("dance", json!({})).await;
    assert_eq!(unknown["code"], "RATE_LIMITED", "whatever it is");
    pass(Duration::from_millis(wait)).await;
    client.must("ping", json!({})).await;

    for _ in 0..97 {
        client.refused("ping", json!({})).await;
    }
    assert_eq!(client.close_code(), None);
    client.refused("ping", json!({})).await;
    assert_eq!(client.close_code(), Some(4429), "at the hundredth");
}

/// What comes in one frame after the request that closed the socket is not done.
#[tokio::test(start_paused = true)]
async fn nothing_is_done_for_a_client_after_its_close() {
    let mut config = roomy();
    config.requests_per_second = 1;
    config.requests_burst = 1;
    let gateway = gateway_with(&Probe::default(), config);
    let mut client = Client::connect(&gateway, Codec::Json);
    for _ in 0..4 {
        client.send(&json!(vec![json!({"type": "ping"}); 32])).await;
    }
    assert_eq!(client.connection.outbox().totals().queued, 1 + 1 + 100, "welcome, pong, refusals");
    pass(Duration::from_secs(100)).await;
    client
        .send(&json!({"type": "create_room", "data": {
            "gameType": "probe", "playerName": "Ada",
        }}))
        .await;
    assert_eq!(gateway.room_count(), 0);
}

/// Random bytes, and valid requests with a few bytes changed, cut off or repeated. Each frame is
/// read here as well, to know how many answers it must get.
#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_frames_of_garbage_get_their_answers() {
    for codec in Codec::ALL {
        let gateway = gateway(&Probe::default());
        let mut random = Random(0x5eed + codec as u64);
        let (_ada, room) = Client::host(&gateway, Codec::Json, json!({"min": 1, "max": 8})).await;
        let seeds = seeds(codec, &room);
        let mut client = Client::connect(&gateway, codec);
        let (mut readable, mut closed) = (0_u32, 0_u32);
        for round in 0..50_000 {
            if round % 500 == 0 {
                // The rooms that were left behind close, so that listings stay short.
                pass(Duration::from_secs(30)).await;
            }
            let frame = random.frame(&seeds);
            let expect = match read_frame(codec, &frame, &FrameLimits::default()) {
                Ok(frame) => {
                    readable += 1;
                    frame.requests().count()
                }
                Err(_) => 1,
            };
            client.send_bytes(&frame).await;
            let answers = responses(&mut client);
            let close = client.close_code();
            let is_right = match close {
                None => answers.len() == expect,
                // The one that was too much is still answered.
                Some(4400) => (1..=expect).contains(&answers.len()),
                Some(code) => panic!("round {round}: closed with {code}"),
            };
            assert!(is_right, "round {round}: {frame:?} got {answers:?}, {close:?}");
            assert!(answers.iter().all(|a| a["success"] == true || a["error"]["code"].is_string()));
            if close.is_some() {
                closed += 1;
                client = Client::connect(&gateway, codec);
            }
        }
        assert!(readable > 5_000, "{readable} frames were readable");
        assert!(closed > 500, "{closed} connections were closed");
        assert_eq!(gateway.connection_count(), 2);
    }
}

/// Valid requests of every kind, encoded.
fn seeds(codec: Codec, room: &Value) -> Vec<Vec<u8>> {
    let (game, name, room) = (json!("probe"), json!("Eve"), &room["roomId"]);
    let create = json!({"gameType": game, "playerName": name, "options": {"max": 3}});
    [
        json!({"type": "ping", "id": 1}),
        json!({"type": "list_rooms", "data": {"limit": 2, "cursor": "5"}}),
        json!({"type": "subscribe_rooms", "data": {"gameType": game}}),
        json!({"type": "create_room", "id": 2, "data": create}),
        json!({"type": "join_room", "id": 3, "data": {"roomId": room, "playerName": name}}),
        json!({"type": "quick_match", "id": 4, "data": {"gameType": game, "playerName": name}}),
        json!({"type": "reconnect", "data": {"sessionToken": "x", "lastSeq": 5}}),
        json!({"type": "game_action", "id": 5, "data": {"do": "set", "total": 12}}),
        json!({"type": "chat", "data": {"text": "héllo 🎲"}}),
        json!({"type": "update_room", "data": {"metadata": {"a": 1.5}, "password": null}}),
        json!({"type": "kick_player", "data": {"playerId": 2}}),
        json!({"type": "get_state"}),
        json!({"type": "leave_room"}),
        json!([{"type": "ping"}, {"type": "leave_room"}, {"type": "quick_match", "id": 9, "data": {
            "gameType": game, "playerName": name,
        }}, {"type": "chat", "data": {"text": "x"}}]),
    ]
    .iter()
    .map(|request| codec.encode(request).unwrap())
    .collect()
}

/// SplitMix64: enough to mangle frames the same way every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn frame(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        if self.below(10) == 0 {
            return (0..self.below(40)).map(|_| self.byte()).collect();
        }
        let mut frame = seeds[self.below(seeds.len())].clone();
        for _ in 0..self.below(3) {
            let place = self.below(frame.len().max(1));
            match self.below(5) {
                0 => frame.truncate(place),
                1 => frame.insert(place, self.byte()),
                2 if !frame.is_empty() => frame[place] = self.byte(),
                3 if !frame.is_empty() => frame[place] ^= 1 << self.below(8),
                _ => frame.extend_from_within(place.min(frame.len())..),
            }
        }
        frame
    }
}
