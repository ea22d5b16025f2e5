//! The program around the rooms: it makes, finds, ends and tells them, follows what becomes of them, and
//! says who may come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parlor_core::{CloseReason, GameError, LeaveReason, Scalar, SeatKind, Signal};
use parlor_gateway::{
    Admission, Gateway, JoinHook, Joining, NewRoom, NoNews, RoomChange, RoomNews,
};
use parlor_protocol::{Codec, PlayerName, RoomCode};
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, gateway, pass, roomy};

fn code(room: &Value) -> RoomCode {
    RoomCode::parse(room["roomId"].as_str().unwrap()).unwrap()
}

fn signal(name: &str) -> Signal {
    Signal { name: name.to_owned(), ..Signal::default() }
}

#[tokio::test(start_paused = true)]
async fn a_room_made_from_outside_waits_for_its_first_player_who_becomes_host() {
    let gateway = gateway(&Probe::default());
    let mut new = NewRoom::of("probe");
    new.options.insert("min".into(), json!(1));
    new.metadata.insert("region".into(), Scalar::from("eu"));
    let made = gateway.rooms().create(new).await.unwrap();
    assert_eq!(made.metadata["region"], "eu");
    assert_eq!(gateway.rooms().find(made.room_id), Some(made.clone()));

    // Anyone sees it, and who looks for any room does not get it.
    let mut ada = Client::connect(&gateway, Codec::Json);
    let listed = ada.must("list_rooms", json!({})).await;
    assert_eq!(listed["rooms"][0]["roomId"], made.room_id.as_str());
    let quick = json!({"gameType": "probe", "playerName": "Ada", "options": {"min": 1}});
    let other = ada.must("quick_match", quick.clone()).await;
    assert_ne!(other["roomId"], made.room_id.as_str());
    ada.must("leave_room", json!({})).await;
    pass(Duration::from_secs(60)).await;

    let id = json!(made.room_id.as_str());
    let (_bob, joined) = Client::guest(&gateway, Codec::MsgPack, &id, "Bob").await;
    assert_eq!(joined["host"], joined["playerId"]);
    let matched = ada.must("quick_match", quick).await;
    assert_eq!(matched["roomId"], id, "from then on it is a room like any other");
}

#[tokio::test(start_paused = true)]
async fn a_room_made_from_outside_expires_when_nobody_comes() {
    let gateway = gateway(&Probe::default());
    let mut news = gateway.lifecycle();
    let mut new = NewRoom::of("probe");
    new.kept_for = Duration::from_secs(30);
    let made = gateway.rooms().create(new).await.unwrap();
    pass(Duration::from_secs(29)).await;
    assert!(gateway.rooms().find(made.room_id).is_some());
    pass(Duration::from_secs(1)).await;
    assert_eq!(gateway.rooms().find(made.room_id), None);
    assert_eq!(news.next().await.unwrap().what, RoomChange::Created);
    assert_eq!(news.next().await.unwrap().what, RoomChange::Closed(CloseReason::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_room_that_cannot_be_made_is_refused_as_a_client_would_be() {
    let gateway = gateway(&Probe::default());
    let refused = async |change: fn(&mut NewRoom)| {
        let mut new = NewRoom::of("probe");
        change(&mut new);
        gateway.rooms().create(new).await.unwrap_err().code.to_string()
    };
    assert_eq!(refused(|new| new.game_type = "chess".into()).await, "UNKNOWN_GAME");
    assert_eq!(refused(|new| new.players_max = Some(99)).await, "VALIDATION_FAILED");
    assert_eq!(
        refused(|new| drop(new.options.insert("min".into(), json!("?")))).await,
        "VALIDATION_FAILED"
    );
    gateway.drain(Duration::from_secs(1));
    assert_eq!(refused(|_| {}).await, "DRAINING");
}

#[tokio::test(start_paused = true)]
async fn a_signal_reaches_the_game_and_everyone_it_tells() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    ada.drain();
    let rooms = gateway.rooms();
    let seq = rooms.signal(code(&room), signal("ring")).unwrap();
    let told = ada.drain();
    assert_eq!(told[0]["data"]["name"], "rang");
    assert_eq!(told.last().unwrap()["seq"], seq);

    let refused = rooms.signal(code(&room), signal("refuse")).unwrap_err();
    assert_eq!(refused.code.to_string(), "NOT_NOW");
    let nowhere = rooms.signal(RoomCode::from_number(1), signal("ring")).unwrap_err();
    assert_eq!(nowhere.code.to_string(), "ROOM_NOT_FOUND");
    assert!(rooms.close(code(&room), CloseReason::Admin));
    assert!(!rooms.close(code(&room), CloseReason::Admin));
}

#[tokio::test(start_paused = true)]
async fn the_news_of_a_room_say_who_came_and_went_what_was_played_and_how_it_ended() {
    let gateway = gateway(&Probe::default());
    let mut follower = gateway.lifecycle();
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({})).await;
    let (mut bob, _) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
    ada.must("game_action", json!({"do": "set", "total": 7})).await;
    ada.must("game_action", json!({"do": "finish"})).await;
    bob.must("leave_room", json!({})).await;
    gateway.close_room(code(&room), CloseReason::Admin);

    let mut told = Vec::new();
    for _ in 0..7 {
        let RoomNews { room: of, game_type, what, .. } = follower.next().await.unwrap();
        assert_eq!((of, game_type), (code(&room), "probe"));
        told.push(match what {
            RoomChange::Created => "created".to_owned(),
            RoomChange::Joined(who) => format!("joined {} {:?}", who.name, who.kind),
            RoomChange::Left { player, reason } => format!("left {player} {reason:?}"),
            RoomChange::Started => "started".to_owned(),
            RoomChange::Finished { players, result } => {
                let names: Vec<_> = players.iter().map(|player| player.name.as_str()).collect();
                format!("finished {names:?} {result}")
            }
            RoomChange::Closed(reason) => format!("closed {reason:?}"),
            other => panic!("{other:?}"),
        });
    }
    let human = SeatKind::Human;
    let left = LeaveReason::Left;
    assert_eq!(
        told,
        [
            "created".to_owned(),
            format!("joined Ada {human:?}"),
            format!("joined Bob {human:?}"),
            "started".to_owned(),
            "finished [\"Ada\", \"Bob\"] {\"total\":7}".to_owned(),
            format!("left 2 {left:?}"),
            "closed Admin".to_owned(),
        ]
    );
}

/// A room never waits for one who follows it.
#[tokio::test(start_paused = true)]
async fn who_follows_too_slowly_is_told_how_much_it_missed() {
    let mut config = roomy();
    config.lifecycle_news_max = 4;
    let gateway = Gateway::builder(config).game(Probe::default()).start();
    let mut follower = gateway.lifecycle();
    for _ in 0..10 {
        gateway.rooms().create(NewRoom::of("probe")).await.unwrap();
    }
    assert_eq!(follower.next().await, Err(NoNews::Missed(6)));
    for _ in 0..4 {
        assert_eq!(follower.next().await.unwrap().what, RoomChange::Created);
    }
    drop(gateway);
    assert_eq!(follower.next().await, Err(NoNews::Over));
}

/// Knows Ada, turns Eve away, and can be away itself.
#[derive(Clone, Default)]
struct Door {
    hangs: Arc<AtomicBool>,
}

impl JoinHook for Door {
    async fn admit(&self, joining: Joining) -> Result<Admission, GameError> {
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        match joining.player_name.as_str() {
            "Mallory" => panic!("no such player"),
            "Eve" => Err(GameError::new("NOT_ON_THE_LIST", "you are not on the list")),
            "ada" => Ok(Admission {
                player_name: Some(PlayerName::parse("Ada").unwrap()),
                profile: [("rank".to_owned(), Scalar::Int(7))].into_iter().collect(),
            }),
            _ => Ok(Admission::default()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_hook_brings_a_profile_into_the_game_or_refuses_before_there_is_a_seat() {
    let door = Door::default();
    let gateway = Gateway::builder(roomy()).game(Probe::default()).join_hook(door.clone()).start();
    let mut ada = Client::connect(&gateway, Codec::Json);
    let create = json!({"gameType": "probe", "playerName": "ada"});
    let room = ada.must("create_room", create).await;
    assert_eq!(room["players"][0]["name"], "Ada");
    gateway.rooms().signal(code(&room), signal("count")).unwrap();
    assert_eq!(ada.must("get_state", json!({})).await["state"]["total"], 7);

    let mut eve = Client::connect(&gateway, Codec::MsgPack);
    for (kind, data) in [
        ("create_room", json!({"gameType": "probe", "playerName": "Eve"})),
        ("quick_match", json!({"gameType": "probe", "playerName": "Eve"})),
        ("join_room", json!({"roomId": room["roomId"], "playerName": "Eve"})),
    ] {
        assert_eq!(eve.refused(kind, data).await["code"], "NOT_ON_THE_LIST");
    }
    assert_eq!(gateway.room_count(), 1, "and no room was left behind");

    // A hook that breaks down refuses, and the connection lives on.
    let mallory = json!({"roomId": room["roomId"], "playerName": "Mallory"});
    assert_eq!(eve.refused("join_room", mallory).await["code"], "INTERNAL");

    door.hangs.store(true, Ordering::Relaxed);
    let join = json!({"roomId": room["roomId"], "playerName": "Bob"});
    let refused = eve.refused("join_room", join).await;
    assert_eq!(refused["code"], "STORE_UNAVAILABLE");
    assert_eq!(refused["retryable"], true);

    // Who has a seat comes back without being asked again.
    drop(ada);
    let mut ada = Client::connect(&gateway, Codec::Json);
    ada.must("reconnect", json!({"sessionToken": room["sessionToken"]})).await;
}
