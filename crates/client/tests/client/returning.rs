//! A player that loses its connection, and comes back or does not.

use std::sync::Arc;
use std::time::Duration;

use parlor_client::protocol::{CloseCode, ErrorCode, PlayerId, RoomCode, Secret};
use parlor_client::{Ended, Happening, PlayerOptions, RequestError, Session, Status};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::players::{end_of, is_close, replayed, seated, set_out};
use crate::script::joined;

/// What the server answers a player for whom it has a whole room.
pub(crate) fn snapshot(seq: u64, last_id: u64) -> Value {
    let mut answer = joined();
    answer["resumed"] = json!("snapshot");
    answer["seq"] = json!(seq);
    answer["lastId"] = json!(last_id);
    answer.as_object_mut().unwrap().remove("sessionToken");
    answer
}

#[tokio::test(start_paused = true)]
async fn player_that_comes_back_is_told_only_what_it_missed() {
    let (mut lines, mut script, player, mut happenings) = seated(PlayerOptions::default()).await;
    script.say(&json!({"type": "game_started", "seq": 12, "data": {}})).await;
    let Happening::Event(event) = happenings.next().await.unwrap() else { panic!() };
    assert_eq!(event.seq, Some(12));
    drop(script);

    let mut script = lines.accept().await;
    let request = script.hear().await;
    assert_eq!(
        request["data"],
        json!({
        "sessionToken": "secret-token", "epoch": "e1", "lastSeq": 12, "attempt": 1})
    );
    assert!(matches!(*player.status().borrow(), Status::Resuming));
    script.answer(&request, replayed(12)).await;
    script.say(&json!({"type": "game_finished", "seq": 13, "data": {"result": {}}})).await;
    let Happening::Event(event) = happenings.next().await.unwrap() else { panic!() };
    assert_eq!(event.seq, Some(13));
    assert!(matches!(*player.status().borrow(), Status::Open));
    let session = player.session().unwrap();
    assert_eq!((session.last_seq, session.attempt), (13, 1));
}

#[tokio::test(start_paused = true)]
async fn player_whose_past_is_forgotten_is_given_the_room_anew() {
    let (mut lines, script, player, mut happenings) = seated(PlayerOptions::default()).await;
    drop(script);
    let mut script = lines.accept().await;
    let request = script.hear().await;
    script.answer(&request, snapshot(99, 0)).await;
    let Happening::Snapshot(room) = happenings.next().await.unwrap() else { panic!() };
    assert_eq!(room.seq, 99);
    let session = player.session().unwrap();
    assert_eq!((session.last_seq, session.token), (99, Secret::new("secret-token")));
}

/// A snapshot that the program had no room for is not forgotten when the connection breaks again.
#[tokio::test(start_paused = true)]
async fn snapshot_goes_before_the_events_that_follow_it_over_however_many_connections() {
    let mut options = PlayerOptions::default();
    options.connection.events_max = 1;
    let (mut lines, mut script, player, mut happenings) = seated(options).await;
    script.say(&json!({"type": "game_started", "seq": 11, "data": {}})).await;
    // The player's task puts it into the queue, which is full then.
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(script);
    let mut script = lines.accept().await;
    let request = script.hear().await;
    script.answer(&request, snapshot(99, 0)).await;
    player.status().wait_for(|status| matches!(status, Status::Open)).await.unwrap();
    drop(script);
    let mut script = lines.accept().await;
    let request = script.hear().await;
    assert_eq!(request["data"]["lastSeq"], 99);
    script.answer(&request, replayed(99)).await;
    script.say(&json!({"type": "game_started", "seq": 100, "data": {}})).await;

    let mut seqs = Vec::new();
    for _ in 0..3 {
        seqs.push(match happenings.next().await.unwrap() {
            Happening::Snapshot(room) => ("room", room.seq),
            Happening::State(now) => ("state", now.seq),
            Happening::Event(event) => ("event", event.seq.unwrap()),
        });
    }
    assert_eq!(seqs, [("event", 11), ("room", 99), ("event", 100)]);
}

#[tokio::test(start_paused = true)]
async fn unanswered_requests_are_sent_again_with_their_numbers_before_those_asked_meanwhile() {
    let (mut lines, mut script, player, _happenings) = seated(PlayerOptions::default()).await;
    let player = Arc::new(player);
    let ask = |text: &'static str| {
        let player = Arc::clone(&player);
        tokio::spawn(async move { player.chat(text).await })
    };
    let answered = ask("answered");
    let request = script.hear().await;
    script.answer(&request, json!({"seq": 11})).await;
    answered.await.unwrap().unwrap();

    let lost = ask("lost");
    let before = script.hear().await;
    drop(script);
    player.status().wait_for(|status| matches!(status, Status::Resuming)).await.unwrap();
    let meanwhile = ask("meanwhile");

    let mut script = lines.accept().await;
    let reconnect = script.hear().await;
    let number = |request: &Value| request["id"].as_u64().unwrap();
    assert!(number(&reconnect) > number(&before), "{reconnect} after {before}");
    script.answer(&reconnect, replayed(10)).await;
    assert_eq!(script.hear().await, before);
    script.answer(&before, json!({"seq": 12})).await;
    let after = script.hear().await;
    assert_eq!(after["data"]["text"], "meanwhile");
    script.answer(&after, json!({"seq": 13})).await;
    assert_eq!(lost.await.unwrap().unwrap().seq, 12);
    assert_eq!(meanwhile.await.unwrap().unwrap().seq, 13);

    let later = ask("later");
    let last = script.hear().await;
    script.answer(&last, json!({"seq": 14})).await;
    later.await.unwrap().unwrap();
    let numbers = [&request, &before, &after, &last].map(number);
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

/// A session that a program kept.
pub(crate) fn stored() -> Session {
    Session {
        room_id: RoomCode::parse("ACDEFHJK").unwrap(),
        game_type: "count".into(),
        player_id: PlayerId(3),
        token: Secret::new("secret-token"),
        epoch: "e1".to_owned(),
        last_seq: 10,
        last_id: 7,
        attempt: 4,
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_go_on_above_what_the_server_has_handled_for_a_stored_session() {
    let (mut lines, player, _happenings) = set_out(stored(), PlayerOptions::default());
    let serve = async {
        let mut script = lines.accept().await;
        let request = script.hear().await;
        assert_eq!((&request["id"], &request["data"]["attempt"]), (&json!(8), &json!(5)));
        script.answer(&request, snapshot(20, 40)).await;
        let request = script.hear().await;
        assert_eq!(request["id"], 41);
        script.answer(&request, json!({"seq": 21})).await;
    };
    // Asked before anyone knows which numbers the server has seen.
    let (answer, ()) = tokio::join!(player.chat("back"), serve);
    answer.unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_close_code_is_honoured() {
    for code in CloseCode::ALL {
        let (mut lines, script, player, _happenings) = seated(PlayerOptions::default()).await;
        // 1006 stands for no close frame at all.
        if code == CloseCode::Abnormal {
            drop(script);
        } else {
            script.close(code.as_u16(), "").await;
        }
        let closed = Instant::now();
        if !code.may_reconnect() {
            let ended = end_of(&player).await;
            assert!(is_close(&ended, code.as_u16()), "{code:?}: {ended}");
            assert!(lines.are_over().await, "{code:?}");
            continue;
        }
        let mut script = lines.accept().await;
        assert_eq!(script.hear().await["type"], "reconnect", "{code:?}");
        let waited = closed.elapsed();
        assert_eq!(waited >= Duration::from_secs(10), code.wait_first(), "{code:?}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_close_code_is_taken_for_a_fault_of_the_server() {
    let (mut lines, script, _player, _happenings) = seated(PlayerOptions::default()).await;
    script.close(4999, "").await;
    assert_eq!(lines.accept().await.hear().await["type"], "reconnect");
}

#[tokio::test(start_paused = true)]
async fn server_that_goes_away_is_given_the_time_it_asked_for() {
    let (mut lines, mut script, _player, mut happenings) = seated(PlayerOptions::default()).await;
    script.say(&json!({"type": "server_draining", "data": {"reconnectAfterMs": 7000}})).await;
    assert!(matches!(happenings.next().await, Ok(Happening::Event(_))));
    script.close(1001, "").await;
    let closed = Instant::now();
    lines.accept().await;
    assert!(closed.elapsed() >= Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn each_try_is_counted_until_the_room_is_back_or_gone() {
    let (mut lines, script, player, _happenings) = seated(PlayerOptions::default()).await;
    drop(script);
    for attempt in 1..=3 {
        let mut script = lines.accept().await;
        let request = script.hear().await;
        assert_eq!(request["data"]["attempt"], attempt);
        script.refuse(&request, ErrorCode::ROOM_UNAVAILABLE).await;
    }
    let asking = player.chat("am I still there?");
    let serve = async {
        let mut script = lines.accept().await;
        let request = script.hear().await;
        script.refuse(&request, ErrorCode::ROOM_CLOSED).await;
    };
    let (answer, ()) = tokio::join!(asking, serve);
    let Err(RequestError::Ended(Ended::NoSeat(why))) = answer else { panic!("{answer:?}") };
    assert_eq!(why.code(), Some(&ErrorCode::ROOM_CLOSED));
    assert!(lines.are_over().await);
}

#[tokio::test(start_paused = true)]
async fn waits_between_tries_stay_within_their_bound_and_do_not_end() {
    let options = PlayerOptions { wait_max: Duration::from_secs(3), ..PlayerOptions::default() };
    let (mut lines, script, _player, _happenings) = seated(options).await;
    drop(script);
    for attempt in 0..50 {
        let before = Instant::now();
        drop(lines.pipe().await);
        assert!(before.elapsed() <= Duration::from_secs(3), "try {attempt}");
    }
}
