//! States that come whole, as patches, and as answers: what a program is given of them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parlor_client::protocol::limits::UNANSWERED_REQUESTS_MAX;
use parlor_client::protocol::{Codec, ErrorCode, Phase, PlayerName};
use parlor_client::{
    Ended, Followed, Happening, Happenings, Options, Player, PlayerOptions, StateFollower, Status,
    new_room,
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::players::{Lines, end_of, replayed, seated, set_out, set_out_for};
use crate::returning::{snapshot, stored};
use crate::script::{Script, joined};

/// A player at its seat with version 1 of the state, `{"total": 0}`, at number 10.
async fn at_version_1(codec: Codec) -> (Lines, Script, Player, Happenings<Value>) {
    let mut options = PlayerOptions::default();
    options.connection.codec = codec;
    seated(options).await
}

fn whole(seq: u64, version: u64, total: u64) -> Value {
    let data = json!({"version": version, "phase": "playing", "state": {"total": total}});
    json!({"type": "room_state", "seq": seq, "data": data})
}

fn patch(seq: u64, base: u64, version: u64, total: u64) -> Value {
    let ops = json!([{"op": "replace", "path": "/total", "value": total}]);
    json!({"type": "room_patch", "seq": seq, "data": {"version": version, "base": base, "ops": ops}})
}

fn chat(seq: u64) -> Value {
    let line = json!({"playerId": 4, "name": "Bob", "text": "hi", "at": 1});
    json!({"type": "chat_message", "seq": seq, "data": line})
}

fn answer(seq: u64, version: u64, total: u64) -> Value {
    json!({"seq": seq, "version": version, "phase": "playing", "state": {"total": total}})
}

/// The player's own question, which has no number.
async fn question(script: &mut Script) -> Value {
    let request = script.hear().await;
    assert_eq!(request, json!({"type": "get_state", "data": {}}));
    request
}

/// Answers the player's own question.
async fn tell(script: &mut Script, data: Value) {
    script.say(&json!({"type": "get_state_result", "success": true, "data": data})).await;
}

/// The next happening. Paused time passes at once when none comes.
async fn next<V>(happenings: &mut Happenings<V>) -> Result<Happening<V>, Ended> {
    let next = timeout(Duration::from_secs(60), happenings.next()).await;
    next.expect("something happens in time")
}

/// The next happening is the state of this version.
#[track_caller]
fn check_state(happening: Result<Happening<Value>, Ended>, seq: u64, version: u64, total: u64) {
    match happening {
        Ok(Happening::State(now)) => {
            let is = (now.seq, now.version, now.state);
            assert_eq!(is, (seq, version, json!({"total": total})));
        }
        other => panic!("no state: {other:?}"),
    }
}

#[track_caller]
fn check_event(happening: Result<Happening<Value>, Ended>, seq: u64) {
    match happening {
        Ok(Happening::Event(event)) => assert_eq!(event.seq, Some(seq)),
        other => panic!("no event: {other:?}"),
    }
}

/// Nothing is on its way to the program. Paused time moves only when nobody has anything left to do.
async fn check_quiet(happenings: &mut Happenings<Value>) {
    let next = timeout(Duration::from_millis(1), happenings.next()).await;
    assert!(next.is_err(), "{next:?}");
}

/// What the player sends next is what its program asks, so it has asked nothing itself.
async fn check_asks_nothing(script: &mut Script, player: &Player) {
    // By then it has taken in all that it was sent.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let serve = async {
        let request = script.hear().await;
        assert_eq!(request["type"], "chat");
        script.answer(&request, json!({"seq": 99})).await;
    };
    let (answer, ()) = tokio::join!(player.chat("hi"), serve);
    answer.unwrap();
}

#[tokio::test(start_paused = true)]
async fn states_are_whole_and_at_their_places_however_they_are_sent() {
    for codec in Codec::ALL {
        let (_lines, mut script, player, mut happenings) = at_version_1(codec).await;
        for message in [
            patch(11, 1, 2, 20),
            chat(12),
            whole(13, 3, 30),
            patch(14, 3, 5, 50),
            chat(15),
            patch(16, 5, 6, 60),
        ] {
            script.say(&message).await;
        }
        check_state(next(&mut happenings).await, 11, 2, 20);
        assert_eq!(player.session().unwrap().last_seq, 11);
        check_event(next(&mut happenings).await, 12);
        check_state(next(&mut happenings).await, 13, 3, 30);
        check_state(next(&mut happenings).await, 14, 5, 50);
        assert_eq!(player.session().unwrap().last_seq, 14);
        check_event(next(&mut happenings).await, 15);
        check_state(next(&mut happenings).await, 16, 6, 60);
        check_asks_nothing(&mut script, &player).await;
    }
}

#[tokio::test(start_paused = true)]
async fn patch_takes_the_phase_of_the_state_it_builds_on() {
    let (_lines, mut script, _player, mut happenings) = at_version_1(Codec::Json).await;
    let mut phases = Vec::new();
    for message in [patch(11, 1, 2, 20), whole(12, 3, 30), patch(13, 3, 4, 40)] {
        script.say(&message).await;
        let Ok(Happening::State(now)) = next(&mut happenings).await else { panic!() };
        phases.push(now.phase);
    }
    assert_eq!(phases, [Phase::Lobby, Phase::Playing, Phase::Playing]);
}

/// The server skips version 2. What comes before the answer does not fit either, and asks nothing more;
/// what comes after it builds on it.
#[tokio::test(start_paused = true)]
async fn patch_that_builds_on_another_state_makes_the_player_ask_once() {
    for codec in Codec::ALL {
        let (_lines, mut script, player, mut happenings) = at_version_1(codec).await;
        script.say(&patch(12, 2, 3, 30)).await;
        let _ = question(&mut script).await;
        script.say(&chat(13)).await;
        script.say(&patch(14, 3, 4, 40)).await;
        check_event(next(&mut happenings).await, 13);
        check_quiet(&mut happenings).await;
        check_asks_nothing(&mut script, &player).await;

        tell(&mut script, answer(14, 4, 40)).await;
        script.say(&chat(15)).await;
        script.say(&patch(16, 4, 5, 50)).await;
        check_state(next(&mut happenings).await, 14, 4, 40);
        assert_eq!(player.session().unwrap().last_seq, 13, "an answer is no event");
        check_event(next(&mut happenings).await, 15);
        check_state(next(&mut happenings).await, 16, 5, 50);
        check_asks_nothing(&mut script, &player).await;
    }
}

#[tokio::test(start_paused = true)]
async fn patch_that_cannot_be_applied_makes_the_player_ask() {
    let unfit = [
        // The first of the two would fit.
        json!([{"op": "add", "path": "/new", "value": 1}, {"op": "remove", "path": "/none"}]),
        json!([{"op": "move", "from": "/total", "path": "/moved"}]),
        json!("no list"),
    ];
    for ops in unfit {
        let (_lines, mut script, player, mut happenings) = at_version_1(Codec::Json).await;
        let data = json!({"version": 2, "base": 1, "ops": ops});
        script.say(&json!({"type": "room_patch", "seq": 11, "data": data})).await;
        let _ = question(&mut script).await;
        check_quiet(&mut happenings).await;
        // The state as the player should have it; it must not take its own for that.
        tell(&mut script, answer(11, 1, 10)).await;
        check_state(next(&mut happenings).await, 11, 1, 10);
        script.say(&patch(12, 1, 2, 20)).await;
        check_state(next(&mut happenings).await, 12, 2, 20);
        check_asks_nothing(&mut script, &player).await;
    }
}

#[tokio::test(start_paused = true)]
async fn states_and_patches_that_are_older_than_what_is_known_are_passed_over() {
    let (_lines, mut script, player, mut happenings) = at_version_1(Codec::Json).await;
    script.say(&whole(11, 7, 70)).await;
    check_state(next(&mut happenings).await, 11, 7, 70);
    for old in [whole(12, 6, 60), patch(13, 6, 7, 70), patch(14, 5, 6, 60), patch(15, 1, 2, 20)] {
        script.say(&old).await;
    }
    check_quiet(&mut happenings).await;
    script.say(&patch(16, 7, 8, 80)).await;
    check_state(next(&mut happenings).await, 16, 8, 80);
    check_asks_nothing(&mut script, &player).await;
}

#[tokio::test(start_paused = true)]
async fn whole_state_makes_an_answer_that_is_no_newer_of_no_use() {
    let (_lines, mut script, player, mut happenings) = at_version_1(Codec::Json).await;
    script.say(&patch(12, 2, 3, 30)).await;
    let _ = question(&mut script).await;
    script.say(&whole(13, 4, 40)).await;
    check_state(next(&mut happenings).await, 13, 4, 40);
    // Lost again while the question is under way, which will do for both.
    script.say(&patch(14, 5, 6, 60)).await;
    check_quiet(&mut happenings).await;
    check_asks_nothing(&mut script, &player).await;
    tell(&mut script, answer(14, 6, 60)).await;
    check_state(next(&mut happenings).await, 14, 6, 60);

    script.say(&patch(15, 9, 10, 100)).await;
    let _ = question(&mut script).await;
    script.say(&whole(16, 11, 110)).await;
    tell(&mut script, answer(16, 11, 110)).await;
    check_state(next(&mut happenings).await, 16, 11, 110);
    check_quiet(&mut happenings).await;
    check_asks_nothing(&mut script, &player).await;
}

#[tokio::test(start_paused = true)]
async fn answer_that_the_program_asked_for_is_a_base_for_patches() {
    for codec in Codec::ALL {
        let (_lines, mut script, player, mut happenings) = at_version_1(codec).await;
        let serve = async {
            let request = script.hear().await;
            assert_eq!((&request["type"], &request["id"]), (&json!("get_state"), &json!(2)));
            script.say(&chat(11)).await;
            script.answer(&request, answer(12, 3, 30)).await;
            script.say(&patch(13, 3, 4, 40)).await;
        };
        let (now, ()) = tokio::join!(player.state::<Value>(), serve);
        assert_eq!(now.unwrap().version, 3);
        check_event(next(&mut happenings).await, 11);
        check_state(next(&mut happenings).await, 12, 3, 30);
        check_state(next(&mut happenings).await, 13, 4, 40);
    }
}

/// As when a player has begun to watch and is told later, but its version is the same.
#[tokio::test(start_paused = true)]
async fn answer_that_shows_the_same_version_otherwise_takes_its_place() {
    let (_lines, mut script, player, mut happenings) = at_version_1(Codec::Json).await;
    script.say(&whole(11, 2, 20)).await;
    check_state(next(&mut happenings).await, 11, 2, 20);
    for (total, is_news) in [(20, false), (21, true), (21, false)] {
        let serve = async {
            let request = script.hear().await;
            script.answer(&request, answer(12, 2, total)).await;
        };
        let (now, ()) = tokio::join!(player.state::<Value>(), serve);
        assert_eq!(now.unwrap().state, json!({"total": total}));
        if is_news {
            check_state(next(&mut happenings).await, 12, 2, total);
        }
        check_quiet(&mut happenings).await;
    }
}

#[tokio::test(start_paused = true)]
async fn question_needs_no_place_among_the_requests_of_the_program() {
    let options = PlayerOptions { requests_waiting_max: 0, ..PlayerOptions::default() };
    let (_lines, mut script, player, mut happenings) = seated(options).await;
    let serve = async {
        let mut held = Vec::new();
        for _ in 0..UNANSWERED_REQUESTS_MAX {
            held.push(script.hear().await);
        }
        script.say(&patch(12, 2, 3, 30)).await;
        let _ = question(&mut script).await;
        tell(&mut script, answer(12, 3, 30)).await;
        check_state(next(&mut happenings).await, 12, 3, 30);
        for request in &held {
            script.answer(request, json!({"seq": 13})).await;
        }
    };
    let asking = join_all((0..UNANSWERED_REQUESTS_MAX).map(|_| player.chat("hello")));
    let (answers, ()) = tokio::join!(asking, serve);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn state_stays_known_when_what_was_missed_is_replayed_and_is_replaced_by_a_snapshot() {
    for codec in Codec::ALL {
        let (mut lines, mut script, player, mut happenings) = at_version_1(codec).await;
        script.say(&patch(11, 1, 2, 20)).await;
        check_state(next(&mut happenings).await, 11, 2, 20);
        drop(script);

        let mut script = lines.accept().await;
        let request = script.hear().await;
        assert_eq!(request["data"]["lastSeq"], 11);
        script.answer(&request, replayed(11)).await;
        script.say(&patch(12, 2, 3, 30)).await;
        check_state(next(&mut happenings).await, 12, 3, 30);
        check_asks_nothing(&mut script, &player).await;
        drop(script);

        let mut script = lines.accept().await;
        let request = script.hear().await;
        let mut room = snapshot(40, 0);
        room["version"] = json!(7);
        script.answer(&request, room).await;
        script.say(&patch(41, 7, 8, 80)).await;
        let Ok(Happening::Snapshot(room)) = next(&mut happenings).await else { panic!() };
        assert_eq!((room.version, room.state), (7, json!({"total": 0})));
        check_state(next(&mut happenings).await, 41, 8, 80);
        check_asks_nothing(&mut script, &player).await;
    }
}

/// The patch counts as seen by the server, which has nothing more to say until the next change.
#[tokio::test(start_paused = true)]
async fn question_that_a_lost_connection_left_unanswered_is_asked_again_unless_a_snapshot_comes() {
    let (mut lines, mut script, player, mut happenings) = at_version_1(Codec::Json).await;
    script.say(&patch(12, 2, 3, 30)).await;
    let _ = question(&mut script).await;
    drop(script);

    let mut script = lines.accept().await;
    let request = script.hear().await;
    assert_eq!(request["data"]["lastSeq"], 12);
    script.answer(&request, replayed(12)).await;
    let _ = question(&mut script).await;
    tell(&mut script, answer(12, 3, 30)).await;
    check_state(next(&mut happenings).await, 12, 3, 30);

    script.say(&patch(13, 8, 9, 90)).await;
    let _ = question(&mut script).await;
    drop(script);
    let mut script = lines.accept().await;
    let request = script.hear().await;
    script.answer(&request, snapshot(40, 0)).await;
    assert!(matches!(next(&mut happenings).await, Ok(Happening::Snapshot(_))));
    check_asks_nothing(&mut script, &player).await;
}

#[tokio::test(start_paused = true)]
async fn refused_question_is_asked_again_when_the_server_has_had_its_rest() {
    let (_lines, mut script, _player, mut happenings) = at_version_1(Codec::Json).await;
    script.say(&patch(12, 2, 3, 30)).await;
    for (wait, details) in [
        (Duration::from_secs(7), json!({"retryAfterMs": 7000})),
        (Duration::from_secs(1), json!({"retryAfterMs": 3})),
    ] {
        let _ = question(&mut script).await;
        let refused = Instant::now();
        let error = json!({"code": ErrorCode::RATE_LIMITED, "message": "no", "retryable": true,
            "details": details});
        script.say(&json!({"type": "get_state_result", "success": false, "error": error})).await;
        let again = timeout(wait - Duration::from_millis(1), script.hear()).await;
        assert!(again.is_err(), "{:?} is too soon: {again:?}", refused.elapsed());
    }
    let _ = question(&mut script).await;
    tell(&mut script, answer(12, 3, 30)).await;
    check_state(next(&mut happenings).await, 12, 3, 30);
}

#[tokio::test(start_paused = true)]
async fn refused_question_is_not_asked_again_when_a_state_has_come_by_itself() {
    let (_lines, mut script, player, mut happenings) = at_version_1(Codec::Json).await;
    script.say(&patch(12, 2, 3, 30)).await;
    let _ = question(&mut script).await;
    let error = json!({"code": ErrorCode::RATE_LIMITED, "message": "no", "retryable": true,
        "details": {"retryAfterMs": 2000}});
    script.say(&json!({"type": "get_state_result", "success": false, "error": error})).await;
    script.say(&whole(13, 4, 40)).await;
    check_state(next(&mut happenings).await, 13, 4, 40);
    tokio::time::sleep(Duration::from_secs(5)).await;
    check_asks_nothing(&mut script, &player).await;
}

/// One that is of no use is like a refusal, or the player would ask all the time.
#[tokio::test(start_paused = true)]
async fn answer_that_is_older_than_what_is_known_is_not_asked_for_again_at_once() {
    let (_lines, mut script, _player, mut happenings) = at_version_1(Codec::Json).await;
    script.say(&whole(11, 5, 50)).await;
    check_state(next(&mut happenings).await, 11, 5, 50);
    script.say(&patch(12, 6, 7, 70)).await;
    let _ = question(&mut script).await;
    let told = Instant::now();
    tell(&mut script, answer(12, 4, 40)).await;
    let _ = question(&mut script).await;
    assert!(told.elapsed() >= Duration::from_secs(1), "{:?}", told.elapsed());
    tell(&mut script, answer(12, 7, 70)).await;
    check_state(next(&mut happenings).await, 12, 7, 70);
}

#[tokio::test(start_paused = true)]
async fn question_that_is_not_answered_in_time_ends_the_connection_as_any_request_does() {
    let (mut lines, mut script, _player, mut happenings) = at_version_1(Codec::Json).await;
    script.say(&patch(12, 2, 3, 30)).await;
    let _ = question(&mut script).await;
    let asked = Instant::now();
    // It goes on talking, so it is not silent.
    while asked.elapsed() < Duration::from_secs(9) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        script.ping().await;
    }
    let mut script = lines.accept().await;
    // Longer, and it is left for its silence.
    let waited = asked.elapsed();
    assert!(waited >= Duration::from_secs(10) && waited < Duration::from_secs(12), "{waited:?}");
    let request = script.hear().await;
    script.answer(&request, replayed(12)).await;
    let _ = question(&mut script).await;
    tell(&mut script, answer(12, 3, 30)).await;
    check_state(next(&mut happenings).await, 12, 3, 30);
}

/// It is told what it missed since, but it no longer has what that builds on.
#[tokio::test(start_paused = true)]
async fn player_of_a_stored_session_asks_for_the_state_if_it_is_given_no_room() {
    let (mut lines, player, mut happenings) = set_out(stored(), PlayerOptions::default());
    let mut script = lines.accept().await;
    let request = script.hear().await;
    script.answer(&request, replayed(10)).await;
    script.say(&chat(11)).await;
    let _ = question(&mut script).await;
    tell(&mut script, answer(11, 3, 30)).await;
    script.say(&patch(12, 3, 4, 40)).await;
    check_event(next(&mut happenings).await, 11);
    check_state(next(&mut happenings).await, 11, 3, 30);
    check_state(next(&mut happenings).await, 12, 4, 40);
    check_asks_nothing(&mut script, &player).await;
}

#[tokio::test(start_paused = true)]
async fn player_whose_happenings_nobody_wants_asks_for_no_states() {
    let (_lines, mut script, player, happenings) = at_version_1(Codec::Json).await;
    drop(happenings);
    script.say(&patch(12, 2, 3, 30)).await;
    check_asks_nothing(&mut script, &player).await;

    let (mut lines, player, happenings) = set_out(stored(), PlayerOptions::default());
    drop(happenings);
    let mut script = lines.accept().await;
    let request = script.hear().await;
    script.answer(&request, replayed(10)).await;
    check_asks_nothing(&mut script, &player).await;
}

#[derive(Debug, serde::Deserialize)]
struct Total {
    #[expect(dead_code, reason = "only its type is of interest")]
    total: u64,
}

#[tokio::test(start_paused = true)]
async fn state_that_is_not_of_the_program_s_type_ends_the_player() {
    let not_a_number = |kind: &str| match kind {
        "room_state" => json!({"version": 2, "phase": "playing", "state": {"total": "x"}}),
        _ => {
            json!({"version": 2, "base": 1, "ops": [{"op": "replace", "path": "/total", "value": "x"}]})
        }
    };
    for kind in ["room_state", "room_patch"] {
        let room = new_room("count", PlayerName::parse("Ada").unwrap());
        let (mut lines, player, mut happenings) =
            set_out_for::<Total>(room, PlayerOptions::default());
        let mut script = lines.accept().await;
        let request = script.hear().await;
        script.answer(&request, joined()).await;
        script.say(&json!({"type": kind, "seq": 11, "data": not_a_number(kind)})).await;
        assert!(matches!(next(&mut happenings).await, Ok(Happening::Snapshot(_))));
        let ended = next(&mut happenings).await.unwrap_err();
        assert!(matches!(ended, Ended::Unexpected(_)), "{kind}: {ended}");
        assert!(ended.to_string().contains("state.total"), "{kind}: {ended}");
        assert!(matches!(end_of(&player).await, Ended::Unexpected(_)));
    }
}

/// As when a program looks at its happenings only now and then.
#[tokio::test(start_paused = true)]
async fn question_is_not_overdue_while_its_answer_waits_for_the_program() {
    let mut options = PlayerOptions::default();
    options.connection.events_max = 1;
    let (_lines, mut script, player, mut happenings) = seated(options).await;
    script.say(&patch(12, 2, 3, 30)).await;
    let _ = question(&mut script).await;
    script.say(&chat(13)).await;
    // The player's task puts it into the queue, which is full then.
    tokio::time::sleep(Duration::from_millis(1)).await;
    tell(&mut script, answer(13, 3, 30)).await;
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        script.ping().await;
    }
    assert!(matches!(*player.status().borrow(), Status::Open));
    check_event(next(&mut happenings).await, 13);
    check_state(next(&mut happenings).await, 13, 3, 30);
}

#[tokio::test]
async fn follower_makes_states_of_a_client_s_events_and_says_once_what_it_lacks() {
    for codec in Codec::ALL {
        let (mut script, client, mut events) =
            Script::connect(Options { codec, ..Options::default() }).await;
        let client = Arc::new(client);
        let mut states = StateFollower::<Value>::new();
        let serve = async {
            let request = script.hear().await;
            script.answer(&request, joined()).await;
        };
        let room = new_room("count", PlayerName::parse("Ada").unwrap());
        let (room, ()) = tokio::join!(client.create_room(&room), serve);
        assert_eq!(states.begin(room.unwrap()).unwrap().state, json!({"total": 0}));

        let mut told = Vec::new();
        for message in [patch(11, 1, 2, 20), chat(12), patch(13, 3, 4, 40), patch(14, 4, 5, 50)] {
            script.say(&message).await;
            let event = events.next().await.unwrap();
            told.push(match states.follow(&event).unwrap() {
                Followed::Nothing => "nothing",
                Followed::Lost => "lost",
                Followed::State(now) => {
                    assert_eq!((now.seq, now.version, now.state), (11, 2, json!({"total": 20})));
                    "state"
                }
            });
        }
        assert_eq!(told, ["state", "nothing", "lost", "nothing"], "{codec:?}");

        let serve = async {
            let request = script.hear().await;
            script.say(&patch(15, 5, 6, 60)).await;
            script.answer(&request, answer(15, 6, 60)).await;
            script.say(&patch(16, 6, 7, 70)).await;
        };
        let (now, ()) = tokio::join!(client.state::<Value>(), serve);
        let now = now.unwrap();
        assert_eq!(states.catch_up(now.clone()).unwrap(), Some(now.clone()));
        assert_eq!(states.catch_up(now).unwrap(), None, "it is known");
        let event = events.next().await.unwrap();
        assert_eq!(states.follow(&event).unwrap(), Followed::Nothing, "it is part of the answer");
        let event = events.next().await.unwrap();
        let Followed::State(now) = states.follow(&event).unwrap() else { panic!() };
        assert_eq!((now.version, now.state), (7, json!({"total": 70})));
    }
}
