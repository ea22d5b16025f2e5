//! Events, and what a session remembers of them.

use parlor_client::protocol::{
    EventType, PlayerId, PlayerName, Resumed, RoomCode, RoomState, Secret,
};
use parlor_client::{Client, Closed, Events, Options, Session, new_room};
use serde_json::{Value, json};

use crate::script::{Script, joined};

async fn sit_down(options: Options) -> (Script, Client, Events) {
    let (mut script, client, events) = Script::connect(options).await;
    let serve = async {
        let request = script.hear().await;
        assert_eq!(request["type"], "create_room");
        assert!(request["data"]["key"].is_string());
        script.answer(&request, joined()).await;
    };
    let room = new_room("count", PlayerName::parse("Ada").unwrap());
    let (outcome, ()) = tokio::join!(client.create_room::<Value>(&room), serve);
    assert_eq!(outcome.unwrap().state, json!({"total": 0}));
    (script, client, events)
}

async fn say_state(script: &mut Script, seq: u64) {
    let data = json!({"version": seq, "phase": "playing", "state": {"total": seq}});
    script.say(&json!({"type": "room_state", "seq": seq, "data": data})).await;
}

fn last_seq(client: &Client) -> u64 {
    client.session().expect("there is a session").last_seq
}

#[tokio::test]
async fn session_counts_only_the_events_that_were_taken() {
    let (mut script, client, mut events) = sit_down(Options::default()).await;
    assert_eq!(last_seq(&client), 10);
    say_state(&mut script, 11).await;
    say_state(&mut script, 14).await;

    let event = events.next().await.unwrap();
    assert_eq!(event.data::<RoomState<Value>>().unwrap().state, json!({"total": 11}));
    assert_eq!(last_seq(&client), 11);
    assert_eq!(events.next().await.unwrap().seq, Some(14));
    assert_eq!(last_seq(&client), 14);
}

#[tokio::test]
async fn events_of_an_older_seat_do_not_count_for_a_new_one() {
    let (mut script, client, mut events) = sit_down(Options::default()).await;
    say_state(&mut script, 500).await;
    let serve = async {
        let request = script.hear().await;
        script.answer(&request, json!({"seq": 501})).await;
        let request = script.hear().await;
        script.answer(&request, joined()).await;
    };
    let ask = async {
        client.leave_room().await.unwrap();
        assert_eq!(client.session(), None);
        let room = new_room("count", PlayerName::parse("Ada").unwrap());
        client.create_room::<Value>(&room).await.unwrap();
    };
    tokio::join!(serve, ask);

    assert_eq!(events.next().await.unwrap().seq, Some(500));
    assert_eq!(last_seq(&client), 10);
}

#[tokio::test]
async fn session_is_resumed_where_it_was_left_with_rising_ids_and_attempts() {
    let (mut script, client, mut events) = sit_down(Options::default()).await;
    say_state(&mut script, 12).await;
    events.next().await.unwrap();
    let stored = serde_json::to_string(&client.session().unwrap()).unwrap();
    drop((script, client, events));

    let mut session: Session = serde_json::from_str(&stored).unwrap();
    session.attempt = 4;
    let (mut script, client, _events) = Script::connect(Options::default()).await;
    let serve = async {
        let request = script.hear().await;
        assert_eq!(
            request,
            json!({"type": "reconnect", "id": 2, "data": {
                "sessionToken": "secret-token", "epoch": "e1", "lastSeq": 12, "attempt": 5}})
        );
        let data = json!({"resumed": "replayed", "roomId": "ACDEFHJK", "gameType": "count",
            "playerId": 3, "epoch": "e1", "seq": 12, "lastId": 40});
        script.answer(&request, data).await;
        let request = script.hear().await;
        assert_eq!(request["id"], 41, "above what the seat has handled");
        script.answer(&request, json!({"seq": 13})).await;
    };
    let ask = async {
        let resumed = client.reconnect::<Value>(&mut session).await.unwrap();
        assert!(matches!(resumed, Resumed::Replayed(_)), "{resumed:?}");
        client.chat("back again").await.unwrap();
    };
    tokio::join!(serve, ask);
    assert_eq!(client.session(), Some(Session { last_id: 41, ..session }));
}

#[tokio::test]
async fn full_queue_of_events_ends_the_connection_and_keeps_what_is_in_it() {
    let options = Options { events_max: 2, ..Options::default() };
    let (mut script, client, mut events) = sit_down(options).await;
    for seq in 11..=13 {
        say_state(&mut script, seq).await;
    }
    while script.hear_frame().await.is_some() {}

    assert_eq!(client.closed(), Some(Closed::EventsUnread));
    assert_eq!(events.next().await.unwrap().seq, Some(11));
    assert_eq!(events.next().await.unwrap().seq, Some(12));
    assert_eq!(events.next().await.unwrap_err(), Closed::EventsUnread);
    assert_eq!(last_seq(&client), 12, "the third is asked for again");
}

#[tokio::test]
async fn events_that_nobody_wants_are_not_kept() {
    let options = Options { events_max: 1, ..Options::default() };
    let (mut script, client, events) = sit_down(options).await;
    drop(events);
    for seq in 11..=20 {
        say_state(&mut script, seq).await;
    }
    let serve = async {
        let request = script.hear().await;
        script.answer(&request, json!({"serverTime": 1})).await;
    };
    let (outcome, ()) = tokio::join!(client.ping(), serve);
    outcome.unwrap();
}

#[tokio::test]
async fn events_of_an_unknown_kind_are_passed_over() {
    let (mut script, _client, mut events) = sit_down(Options::default()).await;
    script.say(&json!({"type": "fireworks", "seq": 11, "data": {}})).await;
    script.say(&json!({"type": "game_started", "seq": 12, "data": {}})).await;
    assert_eq!(events.next().await.unwrap().kind, EventType::GameStarted);
}

#[test]
fn session_does_not_show_its_token() {
    let session = Session {
        room_id: RoomCode::parse("ACDEFHJK").unwrap(),
        game_type: "count".into(),
        player_id: PlayerId(1),
        token: Secret::new("very-secret"),
        epoch: "e".to_owned(),
        last_seq: 0,
        last_id: 0,
        attempt: 0,
    };
    assert!(!format!("{session:?}").contains("very-secret"));
}
