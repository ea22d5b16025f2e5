//! What clients try who mean harm, each tried for real, beside ten players who must not notice.
//!
//! The players come from 127.0.0.2 and keep asking and chatting in a room of theirs; whoever attacks comes from
//! 127.0.0.1. Each test says what the server answers to the attack, and then that every player's request was
//! answered, none of their connections was closed, and how long they waited: measured from when a request was
//! due, so that a server that stands still counts in full. While the machine has no time for any of us nothing is
//! measured; where that is often, the test says so and proves only the rest.

mod evening;

use std::time::Duration;

use parlor_client::protocol::{CloseCode, Codec, ErrorCode, RequestType, Secret};
use parlor_client::{RequestError, new_room, seat_in};
use parlor_gateway::Quota;
use parlor_testutil::http::Ask;
use parlor_testutil::raw::{RawFrame, RawSocket, frame, header, stream_from, text, upgrade};
use parlor_testutil::seat::{WAIT_MAX, name};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, interval, timeout};

use self::evening::{Evening, PLAYERS, on_two_threads};

#[test]
fn players_whom_nobody_attacks_are_answered_at_once() {
    on_two_threads(async {
        let evening = Evening::begin(|_| {}).await;
        evening.end("none").await;
    });
}

/// A hundred sockets, each with a header that goes on by a byte at a time and never ends.
#[test]
fn headers_that_never_end_are_cut_and_one_address_has_few_of_them() {
    on_two_threads(async {
        let evening = Evening::begin(|config| {
            config.handshake_time_max = HANDSHAKE_TIME_MAX;
            config.http_connections_per_address_max = 32;
        })
        .await;
        let mut sockets = Vec::new();
        for _ in 0..100 {
            sockets.push(RawSocket::connect(evening.address()).await);
        }
        let mut slow = JoinSet::new();
        for mut socket in sockets {
            slow.spawn(async move {
                let began = Instant::now();
                let writing =
                    trickle(socket.take_writer(), b"GET /ws HTTP/1.1\r\nX-Slow: ".to_vec());
                let said = socket.until_cut().await;
                writing.abort();
                assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
                began.elapsed()
            });
        }
        let mut lasted = slow.join_all().await;
        lasted.sort_unstable();
        assert!(lasted[67] < HANDSHAKE_TIME_MAX, "who is one too many is cut at once: {lasted:?}");
        assert!(lasted[99] < HANDSHAKE_TIME_MAX * 3, "the others in time: {lasted:?}");
        evening.server.is_limited("http_connections_per_address", 68).await;
        evening.server.is_limited("handshake_time", 32).await;
        evening.end("headers a byte at a time").await;
    });
}

/// Nothing at all, half a handshake, and a whole request with nothing after it.
#[test]
fn sockets_that_begin_and_fall_silent_are_cut() {
    on_two_threads(async {
        let evening = Evening::begin(|config| config.handshake_time_max = HANDSHAKE_TIME_MAX).await;
        let address = evening.address();
        let half = upgrade("");
        let half = half[..half.len() / 2].to_owned();
        let whole = "GET /health/live HTTP/1.1\r\nHost: play.example\r\n\r\n".to_owned();
        let mut silent = JoinSet::new();
        for said in [String::new(), half, whole] {
            for _ in 0..20 {
                let said = said.clone();
                silent.spawn(async move {
                    let mut socket = RawSocket::connect(address).await;
                    socket.send(said.as_bytes()).await.unwrap();
                    let began = Instant::now();
                    let answer = String::from_utf8(socket.until_cut().await).unwrap();
                    let is_whole = said.ends_with("\r\n\r\n");
                    assert_eq!(answer.starts_with("HTTP/1.1 200 "), is_whole, "{said:?}: {answer}");
                    assert!(began.elapsed() < HANDSHAKE_TIME_MAX * 3, "{said:?}");
                });
            }
        }
        silent.join_all().await;
        // A connection that has asked and waits to ask again has done nothing wrong.
        evening.server.is_limited("handshake_time", 40).await;
        evening.end("handshakes that fall silent").await;
    });
}

#[test]
fn headers_larger_than_they_may_be_are_refused() {
    on_two_threads(async {
        let evening = Evening::begin(|_| {}).await;
        let mut large = JoinSet::new();
        for number in 0..4 {
            let (address, ends) = (evening.address(), evening.ends);
            large.spawn(async move {
                while Instant::now() < ends {
                    let mut socket = RawSocket::connect(address).await;
                    let line = format!("X-Large-{number}: {}\r\n", "a".repeat(1000));
                    let head =
                        format!("GET /ws HTTP/1.1\r\nHost: play.example\r\n{}", line.repeat(1000));
                    let writing = write(socket.take_writer(), head.into_bytes());
                    let answer = String::from_utf8(socket.until_cut().await).unwrap();
                    writing.abort();
                    // Cut with most of it unread, it may not hear why.
                    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
                }
            });
        }
        large.join_all().await;
        evening.end("headers of 1 MB").await;
    });
}

/// Slow but whole frames are answered. Of the others, one falls silent and one goes on for ever.
#[test]
fn frames_a_byte_at_a_time_are_served_and_unfinished_ones_come_to_an_end() {
    on_two_threads(async {
        let evening = Evening::begin(|config| {
            config.gateway.heartbeat = Duration::from_millis(500);
            config.gateway.unattached_idle_max = Duration::from_millis(1500);
        })
        .await;
        let address = evening.address();
        let mut slow = JoinSet::new();
        for _ in 0..10 {
            slow.spawn(async move {
                let mut socket = RawSocket::open(address, "").await;
                for byte in text(r#"{"type":"ping"}"#) {
                    socket.send(&[byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
                while socket.json().await["type"] != "ping_result" {}
            });
            slow.spawn(async move {
                let mut socket = RawSocket::open(address, "").await;
                socket.send(&header(0x81, 10_000)).await.unwrap();
                let (code, _) = socket.until_closed().await;
                assert_eq!(code, Some(CloseCode::NoHeartbeat.as_u16()));
            });
            slow.spawn(async move {
                let mut socket = RawSocket::open(address, "").await;
                let writing = trickle(socket.take_writer(), header(0x81, 10_000));
                let (code, _) = socket.until_closed().await;
                writing.abort();
                assert_eq!(
                    code,
                    Some(CloseCode::Normal.as_u16()),
                    "it has asked nothing for too long"
                );
            });
        }
        slow.join_all().await;
        evening.end("frames a byte at a time, unfinished frames").await;
    });
}

/// Open and close as fast as possible, before, within and after the handshake; then hold what can be held.
#[test]
fn connections_that_come_and_go_leave_nothing_and_more_than_allowed_get_429() {
    on_two_threads(async {
        let evening = Evening::begin(|config| config.connections_per_address_max = 20).await;
        let (address, ends) = (evening.address(), evening.ends);
        let mut floods = JoinSet::new();
        for number in 0..4 {
            floods.spawn(async move {
                let mut rounds = 0..;
                while Instant::now() < ends {
                    let mut socket = RawSocket::connect(address).await;
                    match (number + rounds.next().unwrap()) % 4 {
                        0 => {}
                        1 => drop(socket.send(b"GET /ws HTT").await),
                        2 => drop(socket.send(upgrade("").as_bytes()).await),
                        _ => drop(socket.ask(&upgrade("")).await),
                    }
                }
            });
        }
        floods.join_all().await;
        evening.only_players_are_connected().await;

        let mut held = Vec::new();
        let mut refused = 0;
        let refused_before = evening.server.limited("connections_per_address").await;
        for _ in 0..30 {
            let mut socket = RawSocket::connect(address).await;
            let head = socket.ask(&upgrade("")).await;
            if head.starts_with("HTTP/1.1 101 ") {
                held.push(socket);
            } else {
                assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
                assert!(head.contains("\r\nretry-after: "), "{head}");
                refused += 1;
            }
        }
        assert_eq!((held.len(), refused), (20, 10));
        let refused_after = evening.server.limited("connections_per_address").await;
        assert_eq!(refused_after - refused_before, 10);
        drop(held);
        evening.only_players_are_connected().await;
        evening.end("connections opened and closed at once by four").await;
    });
}

#[test]
fn floods_of_pings_are_answered_or_left_with_who_sends_them() {
    on_two_threads(async {
        let evening = Evening::begin(|config| {
            config.gateway.heartbeat = Duration::from_secs(1);
            config.send_buffer_bytes = Some(64 * 1024);
        })
        .await;
        let (address, ends) = (evening.address(), evening.ends);
        let mut floods = JoinSet::new();
        for _ in 0..2 {
            floods.spawn(async move {
                while Instant::now() < ends {
                    let mut socket = RawSocket::open(address, "").await;
                    let writing =
                        write(socket.take_writer(), frame(0x89, b"are you there?").repeat(5000));
                    let mut pongs = 0;
                    while pongs < 5000 {
                        match socket.next().await {
                            Some(RawFrame::Pong(payload)) => {
                                assert_eq!(payload, b"are you there?");
                                pongs += 1;
                            }
                            Some(RawFrame::Message(_) | RawFrame::Ping(_)) => {}
                            other => panic!("{pongs} pongs, then {other:?}"),
                        }
                    }
                    writing.abort();
                }
            });
        }
        // It reads no pongs. What cannot be answered is not read, so it cannot send for ever.
        let deaf = TcpSocket::new_v4().unwrap();
        deaf.set_recv_buffer_size(4096).unwrap();
        deaf.set_send_buffer_size(64 * 1024).unwrap();
        let mut deaf = deaf.connect(address).await.unwrap();
        deaf.write_all(upgrade("").as_bytes()).await.unwrap();
        let pings = frame(0x89, &[b'a'; 125]).repeat(500);
        let mut sent = 0;
        while let Ok(Ok(())) = timeout(Duration::from_millis(500), deaf.write_all(&pings)).await {
            sent += pings.len();
            assert!(sent < 64 * 1024 * 1024, "it is read from without end");
        }
        floods.join_all().await;
        // Silent for the server, it is given up.
        evening.only_players_are_connected().await;
        evening.end("pings without end by two, and by one that never reads").await;
    });
}

#[test]
fn messages_of_too_many_fragments_are_closed_with_1009_though_they_are_empty() {
    on_two_threads(async {
        let evening = Evening::begin(|_| {}).await;
        let mut floods = JoinSet::new();
        for _ in 0..4 {
            let (address, ends) = (evening.address(), evening.ends);
            floods.spawn(async move {
                while Instant::now() < ends {
                    let mut socket = RawSocket::open(address, "").await;
                    let fragments = [frame(0x01, b""), frame(0x00, b"").repeat(10_000)].concat();
                    let writing = write(socket.take_writer(), fragments);
                    assert_eq!(socket.until_closed().await.0, Some(CloseCode::TooLarge.as_u16()));
                    writing.abort();
                }
            });
        }
        floods.join_all().await;
        evening.only_players_are_connected().await;
        evening.end("10 000 empty fragments a message, by four").await;
    });
}

#[test]
fn compression_is_not_accepted_and_a_compressed_frame_is_closed_with_1002() {
    on_two_threads(async {
        let evening = Evening::begin(|_| {}).await;
        while evening.goes_on() {
            let mut socket = RawSocket::connect(evening.address()).await;
            let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
            let head = socket.ask(&upgrade(offer)).await;
            assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
            assert!(!head.to_lowercase().contains("sec-websocket-extensions"), "{head}");
            // A megabyte of zeros, deflated, is a kilobyte.
            socket.send(&frame(0x81 | 0x40, &[0xaa; 1000])).await.unwrap();
            assert_eq!(socket.until_closed().await.0, Some(CloseCode::ProtocolError.as_u16()));
        }
        evening.only_players_are_connected().await;
        evening.end("compressed frames").await;
    });
}

#[test]
fn an_address_opens_so_many_rooms_by_socket_and_post_together() {
    on_two_threads(async {
        let evening = Evening::begin(|config| {
            config.gateway.rooms_opened = Quota { burst: 20, every: Duration::from_secs(60) };
        })
        .await;
        let create = json!({"gameType": "counting", "playerName": "Mallory"});
        let mut sockets = Vec::new();
        for _ in 0..4 {
            let mut socket = RawSocket::open(evening.address(), "").await;
            let opened = socket.request("create_room", &create).await;
            assert_eq!(opened["success"], true, "{opened}");
            sockets.push(socket);
        }
        for _ in 0..16 {
            let opened = evening.ask(open_room()).await;
            assert_eq!(opened.status, 201, "{}", opened.body);
        }
        let mut refusals = 0;
        while evening.goes_on() || refusals == 0 {
            refusals += 1;
            let refused = evening.ask(open_room()).await;
            assert_eq!((refused.status, &*refused.code()), (429, "RATE_LIMITED"));
            let wait_s: u64 = refused.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait_s), "{wait_s} s");
        }
        let mut socket = RawSocket::open(evening.address(), "").await;
        for kind in ["create_room", "quick_match"] {
            for number in 0..50 {
                let mut wanted = create.clone();
                // Options that no room has, so that there is none to be found.
                wanted["options"] = json!({"seats": 200 + number});
                let refused = socket.request(kind, &wanted).await;
                assert_eq!(refused["error"]["code"], "RATE_LIMITED", "{refused}");
                let wait_ms = refused["error"]["details"]["retryAfterMs"].as_u64().unwrap();
                assert!((1..=60_000).contains(&wait_ms), "{wait_ms} ms");
            }
        }
        let rooms = evening.ask(Ask::get("/api/v1/rooms?limit=200")).await.json();
        let rooms = rooms["rooms"].as_array().unwrap().len();
        assert_eq!(rooms, 20 + 1, "theirs, and the players'");
        evening.server.is_limited("rooms_opened", refusals + 100).await;
        evening.end("rooms opened without end, by socket and POST").await;
    });
}

#[test]
fn names_that_disguise_themselves_are_not_valid_in_either_codec() {
    on_two_threads(async {
        let evening = Evening::begin(|_| {}).await;
        let room = evening.room.to_string();
        for codec in Codec::ALL {
            for character in FORBIDDEN {
                let bad = format!("Ma{character}llory");
                // Each has requests of its own to spend.
                let (client, _events) = evening.server.connect(codec).await;
                for (kind, data) in [
                    (RequestType::CreateRoom, json!({"gameType": "counting", "playerName": bad})),
                    (RequestType::JoinRoom, json!({"roomId": room, "playerName": bad})),
                    (RequestType::QuickMatch, json!({"gameType": "counting", "playerName": bad})),
                ] {
                    let refused = client.request::<Value>(kind, &data).await;
                    let Err(RequestError::Refused(error)) = refused else {
                        panic!("{bad:?} as {kind:?} over {codec:?}: {refused:?}");
                    };
                    assert_eq!(error.code, ErrorCode::VALIDATION_FAILED, "{bad:?}");
                    let error = serde_json::to_value(&error).unwrap();
                    let why = &error["details"]["fields"]["playerName"][0]["code"];
                    assert_eq!(why, "forbidden_character", "{error}");
                    assert!(!error.to_string().contains("llory"), "it is not repeated: {error}");
                }
            }
        }
        evening.end("names with control and bidi characters").await;
    });
}

/// One after another sits down among the players and says all it can.
#[test]
fn floods_of_chat_are_refused_and_then_closed_with_4429() {
    on_two_threads(async {
        let evening = Evening::begin(|_| {}).await;
        for number in 0..2 {
            let mut socket = RawSocket::open(evening.address(), "").await;
            let seat = json!({"roomId": evening.room.to_string(), "playerName": format!("Mallory {number}")});
            let joined = socket.request("join_room", &seat).await;
            assert_eq!(joined["success"], true, "{joined}");
            let line = text(r#"{"type":"chat","data":{"text":"buy gold"}}"#);
            let writing = write(socket.take_writer(), line.repeat(2000));
            let (code, said) = socket.until_closed().await;
            writing.abort();
            assert_eq!(code, Some(CloseCode::RateLimited.as_u16()));
            let answers: Vec<_> = said
                .iter()
                .filter_map(json_of)
                .filter(|said| said["type"] == "chat_result")
                .collect();
            let refused = answers.iter().filter(|answer| answer["success"] == false);
            let refused: Vec<_> = refused.map(|answer| &answer["error"]).collect();
            assert!(answers.len() - refused.len() >= 119, "up to the burst it is heard");
            assert_eq!(refused.len(), 100, "so many refusals, and no more");
            for error in refused {
                assert_eq!(error["code"], "RATE_LIMITED");
                assert!(error["details"]["retryAfterMs"].as_u64().unwrap() >= 1, "{error}");
            }
        }
        evening.server.is_limited("requests", 200).await;
        evening.end("2 x 2000 chat lines in the players' room").await;
    });
}

#[test]
fn guesses_of_passwords_and_codes_have_to_wait_even_the_right_one() {
    on_two_threads(async {
        let every = Duration::from_secs(2);
        let evening = Evening::begin(|config| {
            config.gateway.wrong_guesses = Quota { burst: 6, every };
        })
        .await;
        let (host, _events) = evening.server.connect_from(3, Codec::Json).await;
        let mut room = new_room("counting", name("Host"));
        room.options = json!({"seats": 10}).as_object().unwrap().clone();
        room.password = Some(Secret::new("open sesame"));
        let room = host.create_room::<Value>(&room).await.unwrap().room_id;

        let seat = |code: String, password: &str| json!({"roomId": code, "playerName": "Mallory", "password": password});
        // By as many sockets as there are guesses, and by HTTP: it is the address that guesses.
        for number in 0..2 {
            let mut socket = RawSocket::open(evening.address(), "").await;
            let wrong = socket.request("join_room", &seat(room.to_string(), "sesame")).await;
            assert_eq!(wrong["error"]["code"], "WRONG_PASSWORD", "{wrong}");
            let wrong = socket.request("join_room", &seat(format!("ABCDEFG{number}"), "")).await;
            assert_eq!(wrong["error"]["code"], "ROOM_NOT_FOUND", "{wrong}");
            let wrong = evening.ask(Ask::get(&format!("/api/v1/rooms/ABCDEFG{number}"))).await;
            assert_eq!(wrong.status, 404);
        }
        let began = Instant::now();
        let mut socket = RawSocket::open(evening.address(), "").await;
        for _ in 0..50 {
            let refused = socket.request("join_room", &seat(room.to_string(), "open sesame")).await;
            assert_eq!(refused["error"]["code"], "RATE_LIMITED", "{refused}");
            let wait_ms = refused["error"]["details"]["retryAfterMs"].as_u64().unwrap();
            assert!((1..=2000).contains(&wait_ms), "{wait_ms} ms");
            let refused = evening.ask(Ask::get(&format!("/api/v1/rooms/{room}"))).await;
            assert_eq!(refused.status, 429);
            assert!(refused.header("retry-after").is_some(), "{}", refused.head);
            if began.elapsed() > every / 4 {
                break;
            }
        }
        assert!(evening.server.limited("wrong_guesses").await >= 2);

        // Others have guessed nothing, and come in.
        let (other, _events) = evening.server.connect_from(2, Codec::Json).await;
        let mut right = seat_in(room, name("Ada"));
        right.password = Some(Secret::new("open sesame"));
        other.join_room::<Value>(&right).await.unwrap();
        let joined = timeout(WAIT_MAX, async {
            // As often as a connection may ask.
            let mut tries = interval(Duration::from_millis(50));
            loop {
                tries.tick().await;
                let answer =
                    socket.request("join_room", &seat(room.to_string(), "open sesame")).await;
                if answer["success"] == true {
                    break answer;
                }
                assert_eq!(answer["error"]["code"], "RATE_LIMITED", "{answer}");
            }
        });
        let joined = joined.await.expect("having waited, it may come in");
        assert_eq!(joined["data"]["roomId"], room.to_string());
        evening.end("guesses of passwords and room codes").await;
    });
}

#[test]
fn twenty_unreadable_messages_close_with_4400_and_nineteen_do_not() {
    on_two_threads(async {
        let evening = Evening::begin(|_| {}).await;
        let garbage = [
            text("{"),
            text("[]"),
            text("null"),
            text("\u{1f3b2}"),
            text(r#"{"type":7}"#),
            text(r#"{"type":"ping","id":-1}"#),
            text(&format!("{{\"type\":\"{}\"}}", "x".repeat(65))),
            text(&format!("[{}]", vec![r#"{"type":"ping"}"#; 33].join(","))),
            frame(0x82, b"\x81\xa4type\xa4ping"),
            frame(0x82, &[0xc1; 100]),
        ];
        while evening.goes_on() {
            let mut socket = RawSocket::open(evening.address(), "").await;
            for bad in garbage.iter().cycle().take(19) {
                socket.send(bad).await.unwrap();
            }
            let alive = socket.request("ping", &json!({})).await;
            assert_eq!(alive["success"], true);
            socket.send(&garbage[0].repeat(100)).await.unwrap();
            let (code, said) = socket.until_closed().await;
            assert_eq!(code, Some(CloseCode::TooManyUnreadable.as_u16()));
            let said: Vec<_> = said.iter().filter_map(json_of).collect();
            let [last] = &said[..] else { panic!("one more answer: {said:?}") };
            assert_eq!(
                (&last["type"], &last["error"]["code"]),
                (&json!("error"), &json!("BAD_REQUEST"))
            );
        }
        evening.only_players_are_connected().await;
        evening.end("unreadable messages").await;
    });
}

/// The largest message that may come is made large, so that memory set aside for forty that are announced and never
/// come would be ten gigabytes.
#[test]
fn frames_that_announce_too_much_are_closed_with_1009_and_none_has_memory_set_aside() {
    on_two_threads(async {
        let may_come = 256 * 1024 * 1024;
        let evening = Evening::begin(|config| {
            config.gateway.frame.message_bytes_max = usize::try_from(may_come).unwrap();
        })
        .await;
        let before = virtual_bytes();
        let mut waiting = Vec::new();
        for _ in 0..40 {
            let mut socket = RawSocket::open(evening.address(), "").await;
            socket.send(&[header(0x81, may_come), b"some of it".to_vec()].concat()).await.unwrap();
            waiting.push(socket);
        }
        while evening.goes_on() {
            for length in [may_come + 1, 1 << 30, 1 << 40, 1 << 62, u64::MAX] {
                for opcode in [0x81, 0x82, 0x01] {
                    let mut socket = RawSocket::open(evening.address(), "").await;
                    socket.send(&header(opcode, length)).await.unwrap();
                    let (code, _) = socket.until_closed().await;
                    assert_eq!(code, Some(CloseCode::TooLarge.as_u16()), "{length}");
                }
            }
            // A control frame has 125 bytes at most.
            let mut socket = RawSocket::open(evening.address(), "").await;
            socket.send(&header(0x89, 1 << 30)).await.unwrap();
            assert_eq!(socket.until_closed().await.0, Some(CloseCode::ProtocolError.as_u16()));
        }
        let grown = virtual_bytes().saturating_sub(before);
        assert!(grown < 2 * 1024 * 1024 * 1024, "{grown} bytes more");
        evening.connections_are(PLAYERS + waiting.len()).await;
        evening.end("frames that announce up to 2^64 bytes").await;
    });
}

#[test]
fn nesting_without_end_is_refused_in_every_place() {
    on_two_threads(async {
        let evening = Evening::begin(|_| {}).await;
        let deep = "[".repeat(7000) + &"]".repeat(7000);
        let objects = "{\"a\":".repeat(2500) + "1" + &"}".repeat(2500);
        let messages = [
            deep.clone(),
            "[".repeat(16_000),
            format!(r#"{{"type":"ping","data":{{"a":{deep}}}}}"#),
            format!(r#"{{"type":"ping","data":{objects}}}"#),
            format!(r#"{{"type":"create_room","data":{{"metadata":{objects}}}}}"#),
            format!(r#"{{"other":{deep},"type":"ping"}}"#),
        ];
        while evening.goes_on() {
            let mut json = RawSocket::open(evening.address(), "").await;
            let _welcome = json.json().await;
            for message in &messages {
                json.send(&text(message)).await.unwrap();
                let said = json.json().await;
                assert_eq!(said["error"]["code"], "BAD_REQUEST", "{said}");
            }
            let alive = json.request("ping", &json!({})).await;
            assert_eq!(alive["success"], true);

            let offer = "Sec-WebSocket-Protocol: parlor.v1.msgpack\r\n";
            let mut msgpack = RawSocket::open(evening.address(), offer).await;
            for _ in 0..20 {
                let message =
                    [b"\x82\xa4type\xa4ping\xa4data".as_slice(), &[0x91; 16_000]].concat();
                msgpack.send(&frame(0x82, &message)).await.unwrap();
            }
            let (code, _) = msgpack.until_closed().await;
            assert_eq!(code, Some(CloseCode::TooManyUnreadable.as_u16()));

            for body in [&deep, &format!(r#"{{"gameType":"counting","options":{objects}}}"#)] {
                let ask =
                    Ask::new("POST", "/api/v1/rooms").with("Content-Type", "application/json");
                let refused = evening.ask(ask.body(body.clone())).await;
                assert_eq!((refused.status, &*refused.code()), (400, "BAD_REQUEST"));
            }
        }
        evening.end("nesting 16 000 deep").await;
    });
}

#[test]
fn bodies_too_large_too_slow_or_without_end_are_cut() {
    on_two_threads(async {
        let evening = Evening::begin(|config| {
            config.handshake_time_max = Duration::from_millis(500);
            config.http_time_max = Duration::from_millis(500);
        })
        .await;
        let address = evening.address();
        let head = "POST /api/v1/rooms HTTP/1.1\r\nHost: play.example\r\nContent-Type: application/json\r\n";
        let mut bodies = JoinSet::new();
        for _ in 0..5 {
            bodies.spawn(async move {
                // It announces a gigabyte, and sends a megabyte of it.
                let mut socket = RawSocket::connect(address).await;
                let request =
                    format!("{head}Content-Length: 1073741824\r\n\r\n{}", " ".repeat(1 << 20));
                let writing = write(socket.take_writer(), request.into_bytes());
                refused_as_too_large(&socket.until_cut().await);
                writing.abort();
            });
            bodies.spawn(async move {
                let mut socket = RawSocket::connect(address).await;
                let chunk = format!("400\r\n{}\r\n", " ".repeat(1024));
                let request =
                    format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(1024));
                let writing = write(socket.take_writer(), request.into_bytes());
                refused_as_too_large(&socket.until_cut().await);
                writing.abort();
            });
            for length in ["Content-Length: 10000\r\n", "Transfer-Encoding: chunked\r\n"] {
                bodies.spawn(async move {
                    let began = Instant::now();
                    let mut socket = RawSocket::connect(address).await;
                    let mut request = format!("{head}{length}\r\n");
                    if length.contains("chunked") {
                        request.push_str("2000\r\n");
                    }
                    let writing = trickle(socket.take_writer(), request.into_bytes());
                    let said = socket.until_cut().await;
                    let lasted = began.elapsed();
                    writing.abort();
                    assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
                    assert!(
                        lasted >= Duration::from_millis(900),
                        "so long a body may take: {lasted:?}"
                    );
                    assert!(lasted < Duration::from_secs(5), "and no longer: {lasted:?}");
                });
            }
        }
        bodies.join_all().await;
        evening.server.is_limited("http_time", 10).await;
        evening.end("POST bodies too large, slow or endless").await;
    });
}

/// What costs most to answer, over connections that stay open.
#[test]
fn questions_by_http_without_end_are_answered_one_after_another() {
    on_two_threads(async {
        let evening = Evening::begin(|_| {}).await;
        for _ in 0..15 {
            assert_eq!(evening.ask(open_room()).await.status, 201);
        }
        let paths = ["/metrics", "/", "/api/v1/rooms?limit=200", "/api/v1/openapi.json"];
        let asked = paths.map(|path| format!("GET {path} HTTP/1.1\r\nHost: play.example\r\n\r\n"));
        let last = "GET /health/live HTTP/1.1\r\nHost: play.example\r\nConnection: close\r\n\r\n";
        let asked = asked.concat().repeat(5) + last;
        while evening.goes_on() {
            let mut socket = RawSocket::connect(evening.address()).await;
            socket.send(asked.as_bytes()).await.unwrap();
            let said = String::from_utf8_lossy(&socket.until_cut().await).into_owned();
            assert_eq!(said.matches("HTTP/1.1 200 OK\r\n").count(), 21);
        }
        evening.end("GET of pages and figures without end, pipelined").await;
    });
}

#[test]
fn guesses_of_the_admin_token_have_to_wait_even_the_right_one() {
    on_two_threads(async {
        const ADMIN: &str = "correct horse battery staple";
        let every = Duration::from_secs(2);
        let evening = Evening::begin(|config| {
            config.admin_token = Some(Secret::new(ADMIN));
            config.gateway.wrong_guesses = Quota { burst: 5, every };
        })
        .await;
        let room = evening.ask(open_room()).await.json()["roomId"].as_str().unwrap().to_owned();
        let delete = |token: &str| {
            Ask::new("DELETE", &format!("/api/v1/rooms/{room}"))
                .with("Authorization", &format!("Bearer {token}"))
        };
        for number in 0..5 {
            let wrong = evening.ask(delete(&format!("wrong {number}"))).await;
            assert_eq!((wrong.status, &*wrong.code()), (401, "UNAUTHORIZED"));
        }
        let began = Instant::now();
        let mut refusals = 0;
        while began.elapsed() < every / 4 && refusals < 100 {
            let token = if refusals % 2 == 0 { ADMIN } else { "wrong" };
            let refused = evening.ask(delete(token)).await;
            assert_eq!((refused.status, &*refused.code()), (429, "RATE_LIMITED"));
            assert!(refused.header("retry-after").is_some(), "{}", refused.head);
            refusals += 1;
        }
        assert!(refusals >= 2);
        evening.server.is_limited("wrong_guesses", refusals).await;
        // The administrator, who is somewhere else, does not wait.
        let stream = stream_from(4, evening.address()).await.unwrap();
        assert_eq!(delete(ADMIN).over(stream).await.status, 204);
        evening.end("guesses of the admin token").await;
    });
}

/// Writes `first`, and then a byte now and then until it is cut off.
fn trickle(mut writer: tokio::net::tcp::OwnedWriteHalf, first: Vec<u8>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut written = writer.write_all(&first).await;
        let mut pace = interval(Duration::from_millis(25));
        while written.is_ok() {
            pace.tick().await;
            written = writer.write_all(b"a").await;
        }
    })
}

/// Writes as much of `bytes` as is taken, and keeps its direction open until then.
fn write(mut writer: tokio::net::tcp::OwnedWriteHalf, bytes: Vec<u8>) -> JoinHandle<()> {
    tokio::spawn(async move {
        // A server that has heard enough takes no more.
        let _ = writer.write_all(&bytes).await;
        std::future::pending().await
    })
}

fn open_room() -> Ask {
    Ask::post("/api/v1/rooms", &json!({"gameType": "counting"}))
}

fn json_of(frame: &RawFrame) -> Option<Value> {
    match frame {
        RawFrame::Message(text) => serde_json::from_slice(text).ok(),
        RawFrame::Ping(_) | RawFrame::Pong(_) | RawFrame::Close(..) => None,
    }
}

#[track_caller]
fn refused_as_too_large(answer: &[u8]) {
    let answer = String::from_utf8_lossy(answer);
    // Cut with most of its body unread, a client may not hear why.
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

/// Memory that this process has asked for, used or not.
fn virtual_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages: u64 = statm.split(' ').next().unwrap().parse().expect("it is a number");
    pages * 4096
}

const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(1);

/// Control characters, and those that reorder text around them.
const FORBIDDEN: [char; 18] = [
    '\0', '\u{7}', '\u{1b}', '\u{7f}', '\u{85}', '\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}',
    '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}',
];
