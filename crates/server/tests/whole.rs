//! Whole games over real sockets, played by clients: from the first request to the result.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parlor_client::protocol::{
    AddBot, Codec, ErrorCode, EventType, GameFinished, JoinRoom, ListRooms, PlayerDisconnected,
    PlayerReconnected, RoomClosed, RoomListUpdate, Secret, ServerDraining,
};
use parlor_client::{Closed, RequestError, new_room, seat_in};
use parlor_core::{Bot, Game};
use parlor_games::{Farkle, LiarsDice, TicTacToe, farkle, liars_dice, tictactoe};
use parlor_server::ServerConfig;
use parlor_testutil::games::{
    Attempt, Counting, Failing, Fault, Known, Ledger, Marks, Page, Secrets, Show, Total,
};
use parlor_testutil::seat::{Seat, WAIT_MAX, name};
use parlor_testutil::server::TestServer;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

fn shipped_games() -> TestServer {
    TestServer::start(|server| server.game(TicTacToe).game(Farkle).game(LiarsDice))
}

fn small_games() -> TestServer {
    TestServer::start(|server| server.game(Counting).game(Secrets).game(Failing))
}

fn bot<G: Game>(game: &G, level: &str) -> Arc<dyn Bot<G>> {
    game.bot(level).expect("the game has bots of this level")
}

/// Two players at a table of tic-tac-toe that has begun, in two codecs.
async fn noughts(server: &TestServer) -> (Seat<tictactoe::View>, Seat<tictactoe::View>) {
    let room = new_room("tictactoe", name("Ada"));
    let mut ada: Seat<tictactoe::View> = Seat::create(server, Codec::Json, &room).await;
    let mut bob: Seat<tictactoe::View> =
        Seat::join(server, Codec::MsgPack, &seat_in(ada.room, name("Bob"))).await;
    ada.until(|seat| seat.view.turn.is_some()).await;
    bob.until(|seat| seat.view.turn.is_some()).await;
    (ada, bob)
}

#[tokio::test]
async fn tictactoe_between_two_perfect_players_in_two_codecs_is_a_draw() {
    let server = shipped_games();
    let (mut ada, mut bob) = noughts(&server).await;
    let perfect = bot(&TicTacToe, "perfect");

    tokio::join!(ada.play_out(&perfect, 1), bob.play_out(&perfect, 2));

    assert!(ada.view.draw, "{:?}", ada.view);
    assert_eq!(ada.view, bob.view);
}

#[tokio::test]
async fn farkle_between_two_temperaments_has_one_result_for_both_players() {
    let server = shipped_games();
    for codec in Codec::ALL {
        let mut room = new_room("farkle", name("Ada"));
        room.options = json!({"targetScore": 500}).as_object().unwrap().clone();
        let mut ada: Seat<farkle::View> = Seat::create(&server, codec, &room).await;
        let mut bob = Seat::join(&server, codec, &seat_in(ada.room, name("Bob"))).await;
        ada.client.start_game().await.unwrap();

        let (careful, bold) = (bot(&Farkle, "careful"), bot(&Farkle, "bold"));
        tokio::join!(ada.play_out(&careful, 1), bob.play_out(&bold, 2));

        assert_eq!(ada.view, bob.view, "{codec:?}");
        let winner = ada.view.winner.expect("someone has won");
        let scores = &ada.view.scores;
        assert_eq!(scores.get(&winner), scores.values().max(), "{codec:?}");
    }
}

#[tokio::test]
async fn liars_dice_between_two_people_and_a_bot_ends_with_one_winner_for_all_three() {
    let server = shipped_games();
    let room = new_room("liars_dice", name("Ada"));
    let mut ada: Seat<liars_dice::View> = Seat::create(&server, Codec::Json, &room).await;
    let seat = seat_in(ada.room, name("Bob"));
    let mut bob: Seat<liars_dice::View> = Seat::join(&server, Codec::MsgPack, &seat).await;
    let mut watch = seat_in(ada.room, name("Eve"));
    watch.spectator = true;
    let mut eve: Seat<liars_dice::View> = Seat::join(&server, Codec::MsgPack, &watch).await;
    ada.client.add_bot(&AddBot::default()).await.unwrap();
    ada.client.start_game().await.unwrap();

    let (honest, cunning) = (bot(&LiarsDice, "honest"), bot(&LiarsDice, "cunning"));
    let to_the_end = eve.until(|seat| seat.view.winner.is_some());
    tokio::join!(ada.play_out(&honest, 1), bob.play_out(&cunning, 2), to_the_end);

    assert!(eve.view.dice.is_empty(), "who watches has none");
    for seat in [&mut ada, &mut bob] {
        let own = eve.view.dice_counts[&parlor_core::PlayerId(seat.me.0)];
        assert_eq!(seat.view.dice.len(), usize::from(own));
        seat.view.dice.clear();
        assert_eq!(seat.view, eve.view);
    }
}

#[tokio::test]
async fn player_whose_socket_breaks_in_mid_game_comes_back_to_its_seat_and_plays_on() {
    let server = shipped_games();
    let perfect = bot(&TicTacToe, "perfect");
    let (mut ada, mut bob) = noughts(&server).await;
    let mover = if ada.view.turn.unwrap().0 == ada.me.0 { &mut ada } else { &mut bob };
    mover.act(&json!({"row": 1, "col": 1})).await.unwrap();

    let mut session = ada.client.session().unwrap();
    let (me, before) = (ada.me, ada.view.clone());
    drop(ada);
    let gone: PlayerDisconnected =
        bob.until_event(EventType::PlayerDisconnected).await.data().unwrap();
    assert_eq!(gone.player_id, me);

    let mut ada: Seat<tictactoe::View> = Seat::resume(&server, Codec::MsgPack, &mut session).await;
    let back: PlayerReconnected =
        bob.until_event(EventType::PlayerReconnected).await.data().unwrap();
    assert_eq!((ada.me, back.player_id), (me, me));
    assert_eq!(ada.view.symbols, before.symbols);

    tokio::join!(ada.play_out(&perfect, 1), bob.play_out(&perfect, 2));
    assert_eq!(ada.view, bob.view);
}

#[tokio::test]
async fn second_socket_of_a_session_takes_the_seat_over() {
    let server = shipped_games();
    let (mut ada, _bob) = noughts(&server).await;
    let mut session = ada.client.session().unwrap();
    let again: Seat<tictactoe::View> = Seat::resume(&server, Codec::Json, &mut session).await;
    assert_eq!(again.me, ada.me);
    assert_eq!(end_of(&mut ada).await.0, 4001);
}

#[tokio::test]
async fn unknown_session_is_refused() {
    let server = shipped_games();
    let (ada, _bob) = noughts(&server).await;
    let mut session = ada.client.session().unwrap();
    session.token = Secret::new("0".repeat(32));
    let (client, _events) = server.connect(Codec::Json).await;
    let error = client.reconnect::<Value>(&mut session).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::SESSION_INVALID));
}

#[tokio::test]
async fn room_with_a_password_lets_in_only_who_knows_it() {
    let server = shipped_games();
    let mut room = new_room("tictactoe", name("Ada"));
    room.password = Some(Secret::new("sesame"));
    let ada: Seat<Value> = Seat::create(&server, Codec::Json, &room).await;

    let (client, _events) = server.connect(Codec::MsgPack).await;
    for (password, expect) in [
        (None, Some(ErrorCode::WRONG_PASSWORD)),
        (Some("barley"), Some(ErrorCode::WRONG_PASSWORD)),
        (Some("sesame"), None),
    ] {
        let seat =
            JoinRoom { password: password.map(Secret::new), ..seat_in(ada.room, name("Bob")) };
        let outcome = client.join_room::<Value>(&seat).await;
        assert_eq!(outcome.err().as_ref().and_then(RequestError::code), expect.as_ref());
    }
}

#[tokio::test]
async fn kicked_player_is_closed_with_4003_and_cannot_come_back() {
    let server = shipped_games();
    let (mut ada, mut bob) = noughts(&server).await;
    let mut session = bob.client.session().unwrap();

    ada.client.kick_player(bob.me, false).await.unwrap();

    assert_eq!(end_of(&mut bob).await.0, 4003);
    let left = ada.until_event(EventType::PlayerLeft).await.data::<Value>().unwrap();
    assert_eq!(left, json!({"playerId": bob.me, "reason": "kicked"}));
    let (client, _events) = server.connect(Codec::Json).await;
    let error = client.reconnect::<Value>(&mut session).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::SESSION_INVALID));
}

#[tokio::test]
async fn closed_room_says_why_and_then_closes_with_4004() {
    let server = shipped_games();
    let (mut ada, _bob) = noughts(&server).await;
    assert!(server.gateway().close_room(ada.room, parlor_core::CloseReason::Admin));
    let closed: RoomClosed = ada.until_event(EventType::RoomClosed).await.data().unwrap();
    assert_eq!(closed.room_id, ada.room);
    assert_eq!(end_of(&mut ada).await.0, 4004);
}

#[tokio::test]
async fn servers_of_one_process_share_nothing() {
    let (one, other) = (shipped_games(), shipped_games());
    let ada: Seat<Value> =
        Seat::create(&one, Codec::Json, &new_room("tictactoe", name("Ada"))).await;

    let (client, _events) = other.connect(Codec::Json).await;
    let error = client.join_room::<Value>(&seat_in(ada.room, name("Bob"))).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::ROOM_NOT_FOUND));
    assert!(client.list_rooms(&ListRooms::default()).await.unwrap().rooms.is_empty());
    let (client, _events) = one.connect(Codec::MsgPack).await;
    let listed = async {
        loop {
            // Another node hears of it a moment later.
            let rooms = client.list_rooms(&ListRooms::default()).await.unwrap().rooms;
            if !rooms.is_empty() {
                return rooms;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let rooms = timeout(WAIT_MAX, listed).await.unwrap();
    assert_eq!(rooms.iter().map(|room| room.room_id).collect::<Vec<_>>(), [ada.room]);
}

#[tokio::test]
async fn many_rooms_are_played_at_the_same_time() {
    let server = Arc::new(shipped_games());
    let tables: Vec<_> = (0..ROOMS)
        .map(|seed| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let (mut ada, mut bob) = noughts(&server).await;
                let (perfect, easy) = (bot(&TicTacToe, "perfect"), bot(&TicTacToe, "easy"));
                tokio::join!(ada.play_out(&perfect, seed), bob.play_out(&easy, seed));
                assert_ne!(ada.view.winner.map(|winner| winner.0), Some(bob.me.0));
                ada.room
            })
        })
        .collect();
    let mut rooms = std::collections::BTreeSet::new();
    for table in tables {
        rooms.insert(table.await.unwrap());
    }
    assert_eq!(rooms.len(), ROOMS as usize);
}

#[tokio::test]
async fn stopping_server_says_so_and_then_closes_with_1001() {
    let server = shipped_games();
    let (mut ada, mut bob) = noughts(&server).await;

    let stopped = tokio::spawn(server.stop());
    for seat in [&mut ada, &mut bob] {
        let draining: ServerDraining =
            seat.until_event(EventType::ServerDraining).await.data().unwrap();
        assert!(draining.reconnect_after_ms > 0);
        let (code, may_reconnect) = end_of(seat).await;
        assert_eq!((code, may_reconnect), (1001, true));
    }
    assert_eq!(stopped.await.unwrap().connections_cut, 0);
}

#[tokio::test]
async fn subscriber_hears_of_a_new_room() {
    let server = shipped_games();
    let (client, mut events) = server.connect(Codec::MsgPack).await;
    assert!(client.subscribe_rooms("tictactoe").await.unwrap().rooms.is_empty());
    let room = new_room("tictactoe", name("Ada"));
    let ada: Seat<Value> = Seat::create(&server, Codec::Json, &room).await;

    let update: RoomListUpdate =
        events.skip_to(EventType::RoomListUpdate).await.unwrap().data().unwrap();
    assert_eq!(update.changed.iter().map(|room| room.room_id).collect::<Vec<_>>(), [ada.room]);
}

#[tokio::test]
async fn requests_sent_at_once_are_all_handled_in_order() {
    let server = small_games();
    let mut room = new_room("counting", name("Ada"));
    room.options = json!({"seats": 1}).as_object().unwrap().clone();
    let mut ada: Seat<Total> = Seat::create(&server, Codec::MsgPack, &room).await;
    ada.until_event(EventType::GameStarted).await;

    let add = |number: i64| {
        let client = &ada.client;
        async move { client.act(&json!({"add": number})).await.map(|acted| acted.seq) }
    };
    let (one, two, three) = tokio::join!(add(1), add(2), add(3));
    let (one, two, three) = (one.unwrap(), two.unwrap(), three.unwrap());
    assert!(one < two && two < three, "{one} {two} {three}");
    ada.until(|seat| seat.view.total == 6).await;

    let error = ada.client.act(&json!({"add": 101})).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::VALIDATION_FAILED));
    ada.act(&json!({"add": 100})).await.unwrap();
    assert_eq!(ada.view.total, 106);
}

/// All ten pipeline as much as a client may, again and again, and ten times that is more than an outbox holds.
#[tokio::test]
async fn players_of_a_room_who_ask_for_much_at_once_do_not_fill_each_others_outboxes() {
    let mut config = ServerConfig::default();
    config.gateway.requests_per_second = 1_000_000;
    config.gateway.requests_burst = 1_000_000;
    // Between nodes some more are under way: those who are at the room's node talk faster than others hear.
    config.gateway.outbox.messages_max = if TestServer::is_many() { 256 } else { 64 };
    let server = TestServer::with_config(config, |server| server.game(Ledger));
    let mut room = new_room("ledger", name("Host"));
    room.options = json!({"seats": 10}).as_object().unwrap().clone();
    let host: Seat<Page> = Seat::create(&server, Codec::Json, &room).await;
    let code = host.room;
    let mut seats = vec![host];
    for number in 1..10 {
        let seat = seat_in(code, name(&format!("Player {number}")));
        seats.push(Seat::join(&server, Codec::ALL[number % 2], &seat).await);
    }

    let talkers: JoinSet<Seat<Page>> = seats
        .into_iter()
        .map(async |mut seat| {
            for _ in 0..5 {
                let lines = (0..32).map(|_| seat.client.chat("as one"));
                for said in join_all(lines).await {
                    said.expect("nobody is closed");
                }
                for _ in 0..320 {
                    seat.until_event(EventType::ChatMessage).await;
                }
            }
            seat
        })
        .collect();
    let seats = talkers.join_all().await;
    assert_eq!(seats.len(), 10);
    assert_eq!(server.gateway().traffic().unsent.values().sum::<u64>(), 0);
}

#[tokio::test]
async fn what_is_hidden_reaches_only_whom_it_is_shown_to() {
    let server = small_games();
    let mut room = new_room("secrets", name("Ada"));
    room.options = json!({"seats": 3}).as_object().unwrap().clone();
    let mut ada: Seat<Known> = Seat::create(&server, Codec::Json, &room).await;
    let mut bob: Seat<Known> =
        Seat::join(&server, Codec::MsgPack, &seat_in(ada.room, name("Bob"))).await;
    let watching = JoinRoom { spectator: true, ..seat_in(ada.room, name("Dan")) };
    let mut dan: Seat<Known> = Seat::join(&server, Codec::Json, &watching).await;
    let mut eve: Seat<Known> =
        Seat::join(&server, Codec::Json, &seat_in(ada.room, name("Eve"))).await;
    ada.until(|seat| seat.view.mine.is_some()).await;
    let number = ada.view.mine.unwrap().to_string();

    ada.act(&Show { to: parlor_core::PlayerId(bob.me.0) }).await.unwrap();

    // The view that says that Ada has shown comes after the number itself.
    let ada_id = parlor_core::PlayerId(ada.me.0);
    let told = |seen: &[String]| seen.iter().any(|data| data.contains(&number));
    let mut seen = [Vec::new(), Vec::new(), Vec::new()];
    for (seat, seen) in [&mut bob, &mut eve, &mut dan].into_iter().zip(&mut seen) {
        while !seat.view.shown.contains_key(&ada_id) {
            seen.push(seat.next().await.data::<Value>().unwrap().to_string());
        }
    }
    assert_eq!(seen.map(|seen| told(&seen)), [true, false, false], "Bob, Eve, Dan");
}

#[tokio::test]
async fn action_that_fails_leaves_nothing_behind_and_the_room_goes_on() {
    let server = small_games();
    let mut room = new_room("failing", name("Ada"));
    room.options = json!({"seats": 1}).as_object().unwrap().clone();
    let mut ada: Seat<Marks> = Seat::create(&server, Codec::Json, &room).await;
    ada.until_event(EventType::GameStarted).await;

    for (fault, expect) in [
        (Fault::Refuse, ErrorCode::new("ON_PURPOSE")),
        (Fault::Panic, ErrorCode::INTERNAL),
        (Fault::BreakView, ErrorCode::INTERNAL),
    ] {
        let error = ada.act(&Attempt { fault: Some(fault) }).await.unwrap_err();
        assert_eq!(error.code(), Some(&expect), "{fault:?}");
    }

    ada.client.act(&Attempt { fault: None }).await.unwrap();
    let event = ada.until_event(EventType::GameEvent).await;
    assert_eq!(event.data::<Value>().unwrap()["name"], "noted", "the first and only one");
    ada.until(|seat| seat.view.marks > 0).await;
    assert_eq!(ada.view, Marks { marks: 1, broken: false });
}

#[tokio::test]
async fn result_is_told_to_everyone() {
    let server = shipped_games();
    let (mut ada, bob) = noughts(&server).await;
    bob.client.leave_room().await.unwrap();
    let finished = ada.until_event(EventType::GameFinished).await;
    let finished: GameFinished<tictactoe::Outcome> = finished.data().unwrap();
    assert_eq!(finished.result.winner.map(|winner| winner.0), Some(ada.me.0));
    assert_eq!(bob.client.session(), None);
    bob.client.ping().await.unwrap();
}

/// How the connection of a seat ends: the code, and whether to come back.
async fn end_of<V>(seat: &mut Seat<V>) -> (u16, bool) {
    let ending = async {
        loop {
            if let Err(closed) = seat.events.next().await {
                return closed;
            }
        }
    };
    let closed = timeout(WAIT_MAX, ending);
    let closed = closed.await.expect("the connection ends in time");
    match &closed {
        Closed::ByServer { code, .. } => (*code, closed.may_reconnect()),
        other => panic!("not closed by the server: {other}"),
    }
}

const ROOMS: u64 = 20;
