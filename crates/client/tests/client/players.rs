//! A player at its seat: how it gets there, what it may ask, how it ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parlor_client::protocol::limits::UNANSWERED_REQUESTS_MAX;
use parlor_client::protocol::{Codec, ErrorCode, PlayerName};
use parlor_client::{
    Closed, ConnectError, Ended, Happening, Happenings, Player, PlayerOptions, RequestError,
    Status, WayIn, new_room,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::script::{PIPE_BYTES, Script, joined, welcome};

/// The far ends of a player's connections.
pub(crate) struct Lines {
    /// With the address that each is to lead to.
    pipes: mpsc::Receiver<(String, DuplexStream)>,
    codec: Codec,
}

impl Lines {
    /// The player's next connection, greeted.
    pub(crate) async fn accept(&mut self) -> Script {
        let far = self.pipe().await;
        Script::serve(far, self.codec, welcome()).await
    }

    /// The player's next connection, greeted, which leads to `url`.
    pub(crate) async fn accept_at(&mut self, url: &str) -> Script {
        let far = self.pipe_at(url).await;
        Script::serve(far, self.codec, welcome()).await
    }

    /// The player's next connection, not answered to.
    pub(crate) async fn pipe(&mut self) -> DuplexStream {
        self.pipes.recv().await.expect("the player connects").1
    }

    /// The player's next connection, which leads to `url`, not answered to.
    pub(crate) async fn pipe_at(&mut self, url: &str) -> DuplexStream {
        let (led_to, far) = self.pipes.recv().await.expect("the player connects");
        assert_eq!(led_to, url);
        far
    }

    /// Whether the player will never connect again.
    pub(crate) async fn are_over(&mut self) -> bool {
        self.pipes.recv().await.is_none()
    }
}

/// A player on its way.
pub(crate) fn set_out(
    way_in: impl Into<WayIn>,
    options: PlayerOptions,
) -> (Lines, Player, Happenings<Value>) {
    set_out_for(way_in, options)
}

/// The same with a view of the program's own.
pub(crate) fn set_out_for<V: DeserializeOwned + Send + 'static>(
    way_in: impl Into<WayIn>,
    options: PlayerOptions,
) -> (Lines, Player, Happenings<V>) {
    let (ends, pipes) = mpsc::channel(1);
    let codec = options.connection.codec;
    let connect = move |url| {
        let ends = ends.clone();
        async move {
            let (near, far) = tokio::io::duplex(PIPE_BYTES);
            ends.send((url, far)).await.map_err(io::Error::other)?;
            Ok(near)
        }
    };
    let (player, happenings) = Player::over(connect, HOME, way_in, options).unwrap();
    (Lines { pipes, codec }, player, happenings)
}

/// A player at its seat, which has the room.
pub(crate) async fn seated(options: PlayerOptions) -> (Lines, Script, Player, Happenings<Value>) {
    seated_with(joined(), options).await
}

/// The same, where this was the answer to `create_room`.
pub(crate) async fn seated_with(
    answer: Value,
    options: PlayerOptions,
) -> (Lines, Script, Player, Happenings<Value>) {
    let room = new_room("count", PlayerName::parse("Ada").unwrap());
    let (mut lines, player, mut happenings) = set_out(room, options);
    let mut script = lines.accept().await;
    let request = script.hear().await;
    assert_eq!(request["type"], "create_room");
    script.answer(&request, answer).await;
    let first = happenings.next().await.unwrap();
    assert!(matches!(first, Happening::Snapshot(_)), "{first:?}");
    (lines, script, player, happenings)
}

/// Waits until the player has ended, and says why.
pub(crate) async fn end_of(player: &Player) -> Ended {
    let mut status = player.status();
    let status = status.wait_for(|status| matches!(status, Status::Closed(_))).await;
    match &*status.expect("the player says so before it goes") {
        Status::Closed(ended) => ended.clone(),
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn first_happening_is_the_room_and_the_status_follows() {
    for codec in Codec::ALL {
        let mut options = PlayerOptions::default();
        options.connection.codec = codec;
        let room = new_room("count", PlayerName::parse("Ada").unwrap());
        let (mut lines, player, mut happenings) = set_out(room, options);
        let mut script = lines.accept().await;
        let request = script.hear().await;
        assert!(matches!(*player.status().borrow(), Status::Connecting));
        assert_eq!(player.session(), None);

        script.answer(&request, joined()).await;
        let Happening::Snapshot(room) = happenings.next().await.unwrap() else { panic!() };
        assert_eq!(room.state, json!({"total": 0}), "{codec:?}");
        assert!(matches!(*player.status().borrow(), Status::Open));
        assert_eq!(player.session().unwrap().last_seq, 10);
    }
}

#[tokio::test(start_paused = true)]
async fn joining_request_whose_answer_is_lost_is_sent_again_with_its_key() {
    let room = new_room("count", PlayerName::parse("Ada").unwrap());
    let (mut lines, _player, mut happenings) = set_out(room, PlayerOptions::default());
    let mut script = lines.accept().await;
    let first = script.hear().await;
    drop(script);
    let mut script = lines.accept().await;
    let second = script.hear().await;
    assert!(first["data"]["key"].is_string());
    assert_eq!(first, second);
    script.answer(&second, joined()).await;
    happenings.next().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn joining_request_without_a_key_is_given_one() {
    let mut room = new_room("count", PlayerName::parse("Ada").unwrap());
    room.key = None;
    let (mut lines, _player, _happenings) = set_out(room, PlayerOptions::default());
    assert!(lines.accept().await.hear().await["data"]["key"].is_string());
}

#[tokio::test(start_paused = true)]
async fn server_that_has_no_room_for_the_moment_is_asked_again_and_one_that_refuses_is_not() {
    let room = new_room("count", PlayerName::parse("Ada").unwrap());
    let (mut lines, player, mut happenings) = set_out(room, PlayerOptions::default());
    // Not there, full, and there again.
    drop(lines.pipe().await);
    let mut script = lines.accept().await;
    let request = script.hear().await;
    script.refuse(&request, ErrorCode::SERVER_FULL).await;
    let mut script = lines.accept().await;
    let request = script.hear().await;
    script.refuse(&request, ErrorCode::UNKNOWN_GAME).await;

    let Err(Ended::NoSeat(why)) = happenings.next().await else { panic!() };
    assert_eq!(why.code(), Some(&ErrorCode::UNKNOWN_GAME));
    assert!(lines.are_over().await);
    let asked = player.chat("is there anybody?").await;
    assert!(matches!(asked, Err(RequestError::Ended(Ended::NoSeat(_)))), "{asked:?}");
}

#[tokio::test]
async fn address_that_cannot_be_one_is_refused_at_once() {
    let room = new_room("count", PlayerName::parse("Ada").unwrap());
    let player = Player::connect::<Value>("http://parlor.test", room, PlayerOptions::default());
    assert!(matches!(player, Err(ConnectError::Address(_))));
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_than_allowed_are_unanswered_or_wait() {
    let options = PlayerOptions { requests_waiting_max: 2, ..PlayerOptions::default() };
    let (_lines, mut script, player, _happenings) = seated(options).await;
    let allowed = UNANSWERED_REQUESTS_MAX + 2;
    let serve = async {
        let mut held = Vec::new();
        for _ in 0..UNANSWERED_REQUESTS_MAX {
            held.push(script.hear().await);
        }
        // Paused time moves only when nobody has anything left to do.
        let next = timeout(Duration::from_millis(1), script.hear()).await;
        assert!(next.is_err(), "sent although {UNANSWERED_REQUESTS_MAX} wait: {next:?}");
        for _ in 0..2 {
            script.answer(&held.remove(0), json!({"seq": 11})).await;
            held.push(script.hear().await);
        }
        for request in &held {
            script.answer(request, json!({"seq": 11})).await;
        }
    };
    let asking = join_all((0..=allowed).map(|_| player.chat("hello")));
    let (mut answers, ()) = tokio::join!(asking, serve);
    let last = answers.pop().unwrap();
    assert!(matches!(last, Err(RequestError::TooMany { waiting_max: 2 })), "{last:?}");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    drop(answers);
    let serve = async {
        let request = script.hear().await;
        script.answer(&request, json!({"seq": 11})).await;
    };
    let (answer, ()) = tokio::join!(player.chat("there is room again"), serve);
    answer.unwrap();
}

#[tokio::test(start_paused = true)]
async fn request_that_is_too_large_is_refused_here_and_not_in_the_way_of_others() {
    let (_lines, mut script, player, _happenings) = seated(PlayerOptions::default()).await;
    let error = player.chat("x".repeat(300)).await.unwrap_err();
    assert!(matches!(error, RequestError::TooLarge { bytes_max: 256, .. }), "{error:?}");
    let serve = async {
        let request = script.hear().await;
        script.answer(&request, json!({"seq": 11})).await;
    };
    let (answer, ()) = tokio::join!(player.chat("x"), serve);
    answer.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropped_player_hangs_up_and_its_happenings_end() {
    let (mut lines, mut script, player, mut happenings) = seated(PlayerOptions::default()).await;
    let status = player.status();
    drop(player);
    assert!(matches!(happenings.next().await, Err(Ended::ByClient)));
    assert!(script.hear_frame().await.is_none());
    assert!(matches!(*status.borrow(), Status::Closed(Ended::ByClient)));
    assert!(lines.are_over().await);
}

#[tokio::test(start_paused = true)]
async fn closed_player_says_goodbye() {
    let (_lines, mut script, player, mut happenings) = seated(PlayerOptions::default()).await;
    let serve = async {
        assert!(matches!(script.hear_frame().await, Some(Message::Close(_))));
        assert!(script.hear_frame().await.is_none());
    };
    tokio::join!(player.close(), serve);
    assert!(matches!(happenings.next().await, Err(Ended::ByClient)));
}

#[tokio::test(start_paused = true)]
async fn player_that_leaves_is_gone_when_the_server_has_said_so() {
    let (_lines, mut script, player, mut happenings) = seated(PlayerOptions::default()).await;
    let serve = async {
        let request = script.hear().await;
        assert_eq!(request["type"], "leave_room");
        script.answer(&request, json!({"seq": 12})).await;
        assert!(matches!(script.hear_frame().await, Some(Message::Close(_))));
    };
    let (left, ()) = tokio::join!(player.leave(), serve);
    left.unwrap();
    assert!(matches!(happenings.next().await, Err(Ended::ByClient)));
}

/// The answer to leaving is lost, and with it the seat.
#[tokio::test(start_paused = true)]
async fn seat_that_is_gone_when_coming_back_to_leave_it_is_left() {
    let (mut lines, mut script, player, _happenings) = seated(PlayerOptions::default()).await;
    let serve = async {
        script.hear().await;
        drop(script);
        let mut script = lines.accept().await;
        let request = script.hear().await;
        assert_eq!(request["type"], "reconnect");
        script.refuse(&request, ErrorCode::SESSION_INVALID).await;
    };
    let (left, ()) = tokio::join!(player.leave(), serve);
    left.unwrap();
}

#[tokio::test(start_paused = true)]
async fn program_that_takes_nothing_can_still_ask_and_loses_nothing() {
    let mut options = PlayerOptions::default();
    options.connection.events_max = 2;
    let (mut lines, mut script, player, mut happenings) = seated(options).await;
    let event = |seq: u64| json!({"type": "game_started", "seq": seq, "data": {}});

    // Two wait for the program, two for the player, and one is too many for the connection.
    for seq in 11..=15 {
        script.say(&event(seq)).await;
        // The player's task takes what it has room for.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(script.hear_frame().await.is_none(), "it is left, with events unread");
    let mut script = lines.accept().await;
    let request = script.hear().await;
    assert_eq!(request["data"]["lastSeq"], 12, "as much as there was room for");
    script.answer(&request, replayed(12)).await;
    let serve = async {
        let request = script.hear().await;
        script.answer(&request, json!({"seq": 15})).await;
        script
    };
    let (answer, mut script) = tokio::join!(player.chat("I am busy"), serve);
    answer.unwrap();

    assert_eq!(player.session().unwrap().last_seq, 10, "the program has taken none of them");
    let mut seqs = Vec::new();
    for seq in 11..=15 {
        if seq > 12 {
            script.say(&event(seq)).await;
        }
        let Happening::Event(event) = happenings.next().await.unwrap() else { panic!() };
        seqs.extend(event.seq);
        assert_eq!(player.session().unwrap().last_seq, seq);
    }
    assert_eq!(seqs, [11, 12, 13, 14, 15]);
}

#[tokio::test(start_paused = true)]
async fn request_that_is_not_answered_in_time_is_sent_again_over_another_connection() {
    let (mut lines, mut script, player, _happenings) = seated(PlayerOptions::default()).await;
    let player = Arc::new(player);
    let asking = tokio::spawn({
        let player = Arc::clone(&player);
        async move { player.act(&json!({"add": 1})).await }
    });
    let first = script.hear().await;
    let asked = Instant::now();
    // It goes on talking, so it is not silent.
    while asked.elapsed() < Duration::from_secs(9) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        script.ping().await;
    }
    let mut script = lines.accept().await;
    assert!(asked.elapsed() >= Duration::from_secs(10));
    let request = script.hear().await;
    script.answer(&request, replayed(10)).await;
    assert_eq!(script.hear().await, first);
    script.answer(&first, json!({"seq": 11})).await;
    assert_eq!(asking.await.unwrap().unwrap().seq, 11);
}

/// The address that each player is given.
pub(crate) const HOME: &str = "ws://parlor.test/ws";

/// The answer to `reconnect` when what was missed after `seq` follows.
pub(crate) fn replayed(seq: u64) -> Value {
    json!({"resumed": "replayed", "roomId": "ACDEFHJK", "gameType": "count", "playerId": 3,
        "epoch": "e1", "seq": seq, "lastId": 0})
}

/// A close by the server with this code.
pub(crate) fn is_close(ended: &Ended, code: u16) -> bool {
    matches!(ended, Ended::Connection(Closed::ByServer { code: closed, .. }) if *closed == code)
}
