//! A player whose room is at another node than its connection, and who is told where.

use std::sync::Arc;
use std::time::Duration;

use parlor_client::protocol::{Codec, ErrorCode};
use parlor_client::{Ended, Happening, Happenings, Player, PlayerOptions, Status};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep, timeout};

use crate::players::{HOME, Lines, end_of, is_close, replayed, seated, seated_with};
use crate::returning::snapshot;
use crate::script::{Script, joined, welcome};

const NODE: &str = "ws://node-2.parlor.test/ws";

/// A player at its seat at number 10, who was told that the room is at `url`.
async fn sent_to(url: &str) -> (Lines, Script, Player, Happenings<Value>) {
    let mut answer = joined();
    answer["url"] = json!(url);
    seated_with(answer, PlayerOptions::default()).await
}

/// A player who has moved to the room's node, with number 10 as the last that it was told.
async fn moved() -> (Lines, Script, Player, Happenings<Value>) {
    let (mut lines, old, player, happenings) = sent_to(NODE).await;
    let mut node = lines.accept_at(NODE).await;
    let request = node.hear().await;
    node.answer(&request, replayed(10)).await;
    check_heard(&mut node, &player).await;
    drop(old);
    (lines, node, player, happenings)
}

fn event(seq: u64) -> Value {
    json!({"type": "game_started", "seq": seq, "data": {}})
}

/// The next happening is the event of this number.
async fn check_event(happenings: &mut Happenings<Value>, seq: u64) {
    match timeout(Duration::from_secs(60), happenings.next()).await {
        Ok(Ok(Happening::Event(event))) => assert_eq!(event.seq, Some(seq)),
        other => panic!("no event: {other:?}"),
    }
}

/// What the player asks is heard here, and its answer by the player.
async fn check_heard(script: &mut Script, player: &Player) {
    let serve = async {
        let request = script.hear().await;
        assert_eq!(request["type"], "chat", "{request}");
        script.answer(&request, json!({"seq": 10})).await;
    };
    let (answer, ()) = tokio::join!(player.chat("is it you?"), serve);
    answer.unwrap();
}

/// The player tries no other address. Paused time moves only when nobody has anything left to do.
async fn check_stays(lines: &mut Lines) {
    // Longer than any move takes, and shorter than the silence after which a player looks elsewhere.
    let next = timeout(Duration::from_secs(10), lines.pipe()).await;
    assert!(next.is_err(), "it goes elsewhere");
}

#[tokio::test(start_paused = true)]
async fn player_moves_to_the_node_of_its_room_and_is_told_each_event_once() {
    let (mut lines, mut old, player, mut happenings) = sent_to(NODE).await;
    let mut status = player.status();
    status.mark_unchanged();

    // What happens while it is on its way it is told where it is.
    let pipe = lines.pipe_at(NODE).await;
    old.say(&event(11)).await;
    check_event(&mut happenings, 11).await;
    check_heard(&mut old, &player).await;

    let mut node = Script::serve(pipe, Codec::Json, welcome()).await;
    let request = node.hear().await;
    let data = json!({"sessionToken": "secret-token", "epoch": "e1", "lastSeq": 11, "attempt": 1});
    assert_eq!((&request["type"], &request["data"]), (&json!("reconnect"), &data));
    // It happens before the node has answered, so both will tell it.
    old.say(&event(12)).await;
    sleep(Duration::from_millis(1)).await;
    node.answer(&request, replayed(11)).await;
    node.say(&event(12)).await;
    node.say(&event(13)).await;
    old.close(4001, "taken over").await;

    check_event(&mut happenings, 12).await;
    check_event(&mut happenings, 13).await;
    check_heard(&mut node, &player).await;
    assert!(matches!(*status.borrow(), Status::Open));
    assert!(!status.has_changed().unwrap(), "its program notices nothing");
    let session = player.session().unwrap();
    assert_eq!((session.last_seq, session.attempt), (13, 1));
    check_stays(&mut lines).await;
}

/// The old socket is closed before the answer comes, as it may when the two go different ways.
#[tokio::test(start_paused = true)]
async fn being_taken_over_by_its_own_move_is_no_end() {
    let (mut lines, mut old, player, mut happenings) = sent_to(NODE).await;
    let mut node = lines.accept_at(NODE).await;
    let request = node.hear().await;
    old.say(&event(11)).await;
    old.close(4001, "taken over").await;
    sleep(Duration::from_secs(1)).await;
    node.answer(&request, replayed(10)).await;
    node.say(&event(11)).await;
    node.say(&event(12)).await;
    check_event(&mut happenings, 11).await;
    check_event(&mut happenings, 12).await;
    check_heard(&mut node, &player).await;
}

#[tokio::test(start_paused = true)]
async fn request_that_the_old_connection_left_unanswered_is_sent_again_with_its_number() {
    let (mut lines, mut old, player, _happenings) = sent_to(NODE).await;
    let player = Arc::new(player);
    let asking = tokio::spawn({
        let player = Arc::clone(&player);
        async move { player.act(&json!({"add": 1})).await }
    });
    let asked = old.hear().await;
    let mut node = lines.accept_at(NODE).await;
    let request = node.hear().await;
    node.answer(&request, replayed(10)).await;
    assert_eq!(node.hear().await, asked);
    node.answer(&asked, json!({"seq": 11})).await;
    assert_eq!(asking.await.unwrap().unwrap().seq, 11);
}

#[tokio::test(start_paused = true)]
async fn node_that_does_not_know_what_was_missed_shows_the_whole_room() {
    let (mut lines, _old, player, mut happenings) = sent_to(NODE).await;
    let mut node = lines.accept_at(NODE).await;
    let request = node.hear().await;
    node.answer(&request, snapshot(99, 0)).await;
    let Happening::Snapshot(room) = happenings.next().await.unwrap() else { panic!() };
    assert_eq!(room.seq, 99);
    node.say(&event(100)).await;
    check_event(&mut happenings, 100).await;
    assert_eq!(player.session().unwrap().last_seq, 100);
}

#[tokio::test(start_paused = true)]
async fn player_who_comes_back_may_be_sent_to_another_node_too() {
    for mut answer in [replayed(10), snapshot(10, 0)] {
        let (mut lines, script, _player, _happenings) = seated(PlayerOptions::default()).await;
        drop(script);
        let mut script = lines.accept_at(HOME).await;
        let request = script.hear().await;
        answer["url"] = json!(NODE);
        script.answer(&request, answer).await;
        assert_eq!(lines.accept_at(NODE).await.hear().await["type"], "reconnect");
    }
}

/// Two nodes that each take the other for the room's.
#[tokio::test(start_paused = true)]
async fn node_that_sends_the_player_on_is_not_followed() {
    let (mut lines, _old, player, _happenings) = sent_to(NODE).await;
    let mut node = lines.accept_at(NODE).await;
    let request = node.hear().await;
    let mut answer = replayed(10);
    answer["url"] = json!("ws://node-3.parlor.test/ws");
    node.answer(&request, answer).await;
    check_heard(&mut node, &player).await;
    check_stays(&mut lines).await;
}

#[tokio::test(start_paused = true)]
async fn node_that_cannot_be_reached_is_not_tried_again_and_the_player_stays() {
    for hangs in [false, true] {
        let (mut lines, mut old, player, mut happenings) = sent_to(NODE).await;
        let mut pipe = lines.pipe_at(NODE).await;
        if hangs {
            let begun = Instant::now();
            while pipe.read_u8().await.is_ok() {}
            assert!(begun.elapsed() <= Duration::from_secs(5), "{:?}", begun.elapsed());
        } else {
            drop(pipe);
        }
        old.say(&event(11)).await;
        check_event(&mut happenings, 11).await;
        check_heard(&mut old, &player).await;

        // Nor when it is named again.
        drop(old);
        let mut old = lines.accept_at(HOME).await;
        let request = old.hear().await;
        let mut answer = replayed(11);
        answer["url"] = json!(NODE);
        old.answer(&request, answer).await;
        check_heard(&mut old, &player).await;
        check_stays(&mut lines).await;
    }
}

#[tokio::test(start_paused = true)]
async fn player_that_the_node_refuses_stays_and_misses_nothing() {
    for code in [ErrorCode::SESSION_INVALID, ErrorCode::ROOM_UNAVAILABLE, ErrorCode::STALE_REQUEST]
    {
        let (mut lines, mut old, player, mut happenings) = sent_to(NODE).await;
        let mut node = lines.accept_at(NODE).await;
        let request = node.hear().await;
        old.say(&event(11)).await;
        node.refuse(&request, code).await;
        assert!(node.hear_frame().await.is_none(), "the other connection is cut");
        check_event(&mut happenings, 11).await;
        check_heard(&mut old, &player).await;
        check_stays(&mut lines).await;

        // To be taken over by somebody else still is an end.
        old.close(4001, "taken over").await;
        assert!(is_close(&end_of(&player).await, 4001));
    }
}

/// The node has given the seat to a connection over which the answer never came.
#[tokio::test(start_paused = true)]
async fn seat_that_a_move_took_without_an_answer_is_gone_back_to() {
    let (mut lines, mut old, player, mut happenings) = sent_to(NODE).await;
    let mut node = lines.accept_at(NODE).await;
    node.hear().await;
    let asked = Instant::now();
    old.say(&event(11)).await;
    old.close(4001, "taken over").await;
    assert!(node.hear_frame().await.is_none(), "it is given up");
    assert!(asked.elapsed() <= Duration::from_secs(3), "{:?}", asked.elapsed());
    check_event(&mut happenings, 11).await;

    let mut back = lines.accept_at(HOME).await;
    let request = back.hear().await;
    let data = json!({"sessionToken": "secret-token", "epoch": "e1", "lastSeq": 11, "attempt": 2});
    assert_eq!(request["data"], data, "above the number of the one that came to nothing");
    back.answer(&request, replayed(11)).await;
    check_heard(&mut back, &player).await;
}

#[tokio::test(start_paused = true)]
async fn connection_that_is_lost_while_another_is_on_its_way_is_made_anew() {
    let (mut lines, old, player, _happenings) = sent_to(NODE).await;
    let _never_greeted = lines.pipe_at(NODE).await;
    drop(old);
    let mut back = lines.accept_at(HOME).await;
    let request = back.hear().await;
    back.answer(&request, replayed(10)).await;
    check_heard(&mut back, &player).await;
}

#[tokio::test(start_paused = true)]
async fn lost_player_tries_where_it_last_was_and_then_where_it_first_came_to_by_turns() {
    let (mut lines, node, player, _happenings) = moved().await;
    drop(node);
    for url in [NODE, HOME, NODE] {
        drop(lines.pipe_at(url).await);
    }
    let mut home = lines.accept_at(HOME).await;
    let request = home.hear().await;
    home.answer(&request, replayed(10)).await;
    check_heard(&mut home, &player).await;

    // Now it last was at home.
    drop(home);
    for _ in 0..3 {
        drop(lines.pipe_at(HOME).await);
    }
}

/// Another server may have its address by now.
#[tokio::test(start_paused = true)]
async fn node_that_no_longer_knows_the_seat_has_not_the_last_word() {
    let (mut lines, node, player, _happenings) = moved().await;
    drop(node);
    let mut node = lines.accept_at(NODE).await;
    let request = node.hear().await;
    node.refuse(&request, ErrorCode::SESSION_INVALID).await;
    let mut home = lines.accept_at(HOME).await;
    let request = home.hear().await;
    home.refuse(&request, ErrorCode::SESSION_INVALID).await;
    let Ended::NoSeat(why) = end_of(&player).await else { panic!() };
    assert_eq!(why.code(), Some(&ErrorCode::SESSION_INVALID));
}

/// A second try would be numbered higher and take it back.
#[tokio::test(start_paused = true)]
async fn seat_that_somebody_else_has_taken_is_not_asked_for_by_another_way() {
    let (mut lines, node, player, _happenings) = moved().await;
    drop(node);
    let mut node = lines.accept_at(NODE).await;
    let request = node.hear().await;
    node.refuse(&request, ErrorCode::STALE_REQUEST).await;
    assert!(matches!(end_of(&player).await, Ended::NoSeat(_)));
    assert!(lines.are_over().await);
}

#[tokio::test(start_paused = true)]
async fn player_that_moved_is_taken_over_like_any_other() {
    let (mut lines, node, player, _happenings) = moved().await;
    node.close(4001, "taken over").await;
    assert!(is_close(&end_of(&player).await, 4001));
    assert!(lines.are_over().await);
}

#[tokio::test(start_paused = true)]
async fn address_that_a_player_cannot_go_to_is_ignored() {
    let long = format!("ws://parlor.test/{}", "w".repeat(200));
    for url in [
        HOME,
        "wss://node-2.parlor.test/ws",
        "http://node-2.parlor.test/ws",
        "file:///etc/passwd",
        "ws://",
        "ws://node-2.parlor.test/ws\r\nOrigin: https://parlor.test",
        "node-2",
        "",
        &long,
    ] {
        let (mut lines, mut script, player, _happenings) = sent_to(url).await;
        check_heard(&mut script, &player).await;
        check_stays(&mut lines).await;
    }
}

#[tokio::test(start_paused = true)]
async fn player_that_leaves_while_it_moves_is_gone() {
    let (mut lines, mut old, player, _happenings) = sent_to(NODE).await;
    let serve = async {
        let mut node = lines.accept_at(NODE).await;
        let request = node.hear().await;
        let leaving = old.hear().await;
        assert_eq!(leaving["type"], "leave_room");
        old.answer(&leaving, json!({"seq": 12})).await;
        node.refuse(&request, ErrorCode::SESSION_INVALID).await;
    };
    let (left, ()) = tokio::join!(player.leave(), serve);
    left.unwrap();
    assert!(lines.are_over().await);
}

#[tokio::test(start_paused = true)]
async fn player_that_is_closed_while_it_moves_cuts_both_ways() {
    let (mut lines, mut old, player, mut happenings) = sent_to(NODE).await;
    let mut node = lines.accept_at(NODE).await;
    node.hear().await;
    let serve = async { while old.hear_frame().await.is_some() {} };
    tokio::join!(player.close(), serve);
    assert!(node.hear_frame().await.is_none());
    assert!(matches!(happenings.next().await, Err(Ended::ByClient)));
}

/// The program takes nothing, so the player takes nothing from the server either.
#[tokio::test(start_paused = true)]
async fn player_whose_program_is_busy_moves_all_the_same() {
    let mut options = PlayerOptions::default();
    options.connection.events_max = 1;
    let mut answer = joined();
    answer["url"] = json!(NODE);
    let (mut lines, mut old, player, mut happenings) = seated_with(answer, options).await;
    let pipe = lines.pipe_at(NODE).await;
    old.say(&event(11)).await;
    sleep(Duration::from_millis(1)).await;
    old.say(&event(12)).await;
    sleep(Duration::from_millis(1)).await;
    let mut node = Script::serve(pipe, Codec::Json, welcome()).await;
    let request = node.hear().await;
    assert_eq!(request["data"]["lastSeq"], 11);
    node.answer(&request, replayed(11)).await;
    node.say(&event(12)).await;
    check_heard(&mut node, &player).await;
    check_event(&mut happenings, 11).await;
    check_event(&mut happenings, 12).await;
    node.say(&event(13)).await;
    check_event(&mut happenings, 13).await;
}
