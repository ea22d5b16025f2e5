//! Each error code that a request can give, and where.

use parlor_core::{About, Ctx, Game, GameError, Never, PlayerId, Rules, Viewer};
use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, gateway, roomy};

/// Asks, and compares the code of the refusal.
#[track_caller]
fn check(kind: &str, error: &Value, code: &str) {
    assert_eq!(error["code"], code, "{kind}: {error}");
    assert!(!error["message"].as_str().unwrap().is_empty());
    assert!(error["retryable"].is_boolean());
}

#[tokio::test(start_paused = true)]
async fn one_who_sits_nowhere_is_told_so_and_what_does_not_exist_is_named() {
    for codec in Codec::ALL {
        let gateway = gateway(&Probe::default());
        let mut ada = Client::connect(&gateway, codec);
        for (kind, data) in [
            ("leave_room", json!({})),
            ("get_state", json!({})),
            ("game_action", json!({"do": "finish"})),
            ("set_ready", json!({"ready": true})),
            ("set_role", json!({"spectator": true})),
            ("chat", json!({"text": "hello"})),
            ("start_game", json!({})),
            ("rematch", json!({})),
            ("add_bot", json!({})),
            ("remove_bot", json!({"playerId": 1})),
            ("kick_player", json!({"playerId": 1})),
            ("set_host", json!({"playerId": 1})),
            ("update_room", json!({"locked": true})),
        ] {
            check(kind, &ada.refused(kind, data).await, "NOT_IN_ROOM");
        }
        let (none, name) = (json!("chess"), json!("Ada"));
        for (kind, data, code) in [
            ("create_room", json!({"gameType": none, "playerName": name}), "UNKNOWN_GAME"),
            ("quick_match", json!({"gameType": none, "playerName": name}), "UNKNOWN_GAME"),
            ("list_rooms", json!({"gameType": none}), "UNKNOWN_GAME"),
            ("subscribe_rooms", json!({"gameType": none}), "UNKNOWN_GAME"),
            ("unsubscribe_rooms", json!({"gameType": none}), "UNKNOWN_GAME"),
            ("join_room", json!({"roomId": "AAAAAAAA", "playerName": name}), "ROOM_NOT_FOUND"),
            ("join_room", json!({"roomId": "", "playerName": name}), "ROOM_NOT_FOUND"),
            ("join_room", json!({"roomId": "0O1I!?💥", "playerName": name}), "ROOM_NOT_FOUND"),
            ("reconnect", json!({"sessionToken": ""}), "SESSION_INVALID"),
            ("dance", json!({}), "UNKNOWN_TYPE"),
            ("", json!({}), "UNKNOWN_TYPE"),
        ] {
            check(kind, &ada.refused(kind, data).await, code);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn data_of_the_wrong_shape_or_out_of_bounds_is_refused_with_its_path() {
    for codec in Codec::ALL {
        let gateway = gateway(&Probe::default());
        let options = json!({"min": 1, "max": 2, "start": "Host"});
        let (mut ada, _) = Client::host(&gateway, codec, options).await;
        ada.must("start_game", json!({})).await;
        let create = |field: &str, value: Value| {
            let mut data = json!({"gameType": "probe", "playerName": "Ada"});
            data[field] = value;
            ("create_room", data, field.to_owned())
        };
        let (long, deep) = ("x".repeat(501), json!({"a": {"b": 1}}));
        let mut bob = Client::connect(&gateway, codec);
        for (kind, data, path) in [
            create("playerName", json!("")),
            create("playerName", json!("x".repeat(33))),
            create("playerName", json!("a\u{202e}b")),
            create("maxPlayers", json!(0)),
            create("maxPlayers", json!(3)),
            create("password", json!("")),
            create("password", json!("x".repeat(65))),
            create("metadata", deep),
            create("metadata", json!({"a": "x".repeat(1024)})),
            create("key", json!("too short")),
            ("create_room", json!({"gameType": "probe"}), "playerName".into()),
            ("list_rooms", json!({"limit": 0}), "limit".into()),
            ("list_rooms", json!({"limit": 201}), "limit".into()),
            ("list_rooms", json!({"cursor": "not ours"}), "cursor".into()),
            ("reconnect", json!({"sessionToken": 5}), "sessionToken".into()),
        ] {
            let error = bob.refused(kind, data).await;
            check(kind, &error, "VALIDATION_FAILED");
            let fields = error["details"]["fields"].as_object().unwrap();
            assert!(fields.contains_key(&path), "{kind} {path}: {error}");
            assert_eq!(error["retryable"], false);
        }
        let options = json!({"gameType": "probe", "playerName": "Bob", "options": {"max": "two"}});
        for kind in ["create_room", "quick_match"] {
            let error = bob.refused(kind, options.clone()).await;
            check(kind, &error, "VALIDATION_FAILED");
            assert!(error["details"]["fields"].get("options.max").is_some(), "{error}");
        }
        for (kind, data) in [
            ("chat", json!({"text": long})),
            ("chat", json!({"text": ""})),
            ("chat", json!({})),
            ("chat", json!([])),
            ("set_ready", json!({"ready": "yes"})),
            ("kick_player", json!({"playerId": -1})),
            ("kick_player", json!({"playerId": 5_000_000_000_u64})),
            ("game_action", json!({"do": "set", "total": "many"})),
            ("game_action", json!({"do": "nothing known"})),
            ("game_action", json!({})),
            ("game_action", json!("finish")),
            ("add_bot", json!({"level": "unheard of"})),
        ] {
            check(kind, &ada.refused(kind, data).await, "VALIDATION_FAILED");
        }
        assert_eq!(gateway.room_count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_room_refuses_what_is_not_for_this_player_or_not_for_now() {
    for codec in Codec::ALL {
        let gateway = gateway(&Probe::default());
        let options = json!({"min": 2, "max": 2, "start": "Host", "spectators": 1});
        let (mut ada, room) = Client::host(&gateway, codec, options).await;
        let room = &room["roomId"];
        check("start", &ada.refused("start_game", json!({})).await, "NOT_READY");
        let (mut bob, _) = Client::guest(&gateway, codec, room, "Bob").await;
        let mut carol = Client::connect(&gateway, codec);
        let watch = |name: &str| json!({"roomId": room, "playerName": name, "spectator": true});
        carol.must("join_room", watch("Carol")).await;
        let mut dan = Client::connect(&gateway, codec);
        let play = json!({"roomId": room, "playerName": "Dan"});

        let mut table = vec![
            // (who, request, data, code), in the lobby
            (1, "start_game", json!({}), "NOT_HOST"),
            (1, "rematch", json!({}), "NOT_HOST"),
            (1, "add_bot", json!({}), "NOT_HOST"),
            (1, "remove_bot", json!({"playerId": 1}), "NOT_HOST"),
            (1, "kick_player", json!({"playerId": 1}), "NOT_HOST"),
            (1, "set_host", json!({"playerId": 2}), "NOT_HOST"),
            (1, "update_room", json!({"locked": true}), "NOT_HOST"),
            (2, "set_host", json!({"playerId": 3}), "NOT_HOST"),
            (0, "rematch", json!({}), "GAME_NOT_STARTED"),
            (0, "game_action", json!({"do": "finish"}), "GAME_NOT_STARTED"),
            (0, "kick_player", json!({"playerId": 1}), "FORBIDDEN"),
            (0, "kick_player", json!({"playerId": 99}), "NO_SUCH_PLAYER"),
            (0, "remove_bot", json!({"playerId": 2}), "NO_SUCH_PLAYER"),
            (0, "set_host", json!({"playerId": 3}), "NO_SUCH_PLAYER"),
            (0, "set_host", json!({"playerId": 99}), "NO_SUCH_PLAYER"),
            (0, "add_bot", json!({}), "ROOM_FULL"),
            (2, "set_role", json!({"spectator": false}), "ROOM_FULL"),
            (2, "set_ready", json!({"ready": true}), "NOT_A_PLAYER"),
            (3, "join_room", play.clone(), "ROOM_FULL"),
            (3, "join_room", watch("Dan"), "ROOM_FULL"),
            (0, "create_room", json!({"gameType": "probe", "playerName": "A"}), "ALREADY_IN_ROOM"),
            (0, "join_room", play.clone(), "ALREADY_IN_ROOM"),
            (0, "quick_match", json!({"gameType": "probe", "playerName": "A"}), "ALREADY_IN_ROOM"),
            (0, "reconnect", json!({"sessionToken": "x"}), "ALREADY_IN_ROOM"),
        ];
        let playing = [
            (0, "start_game", json!({}), "ALREADY_STARTED"),
            (0, "rematch", json!({}), "GAME_IN_PROGRESS"),
            (0, "set_ready", json!({"ready": true}), "GAME_IN_PROGRESS"),
            (1, "set_role", json!({"spectator": true}), "GAME_IN_PROGRESS"),
            (2, "game_action", json!({"do": "finish"}), "NOT_A_PLAYER"),
            (1, "game_action", json!({"do": "refuse"}), "INVALID_MOVE"),
            (3, "join_room", play.clone(), "GAME_IN_PROGRESS"),
        ];
        let finished = [
            (0, "start_game", json!({}), "GAME_OVER"),
            (0, "game_action", json!({"do": "finish"}), "GAME_OVER"),
            (0, "set_ready", json!({"ready": true}), "GAME_OVER"),
            (1, "rematch", json!({}), "NOT_HOST"),
            (3, "join_room", play, "GAME_OVER"),
        ];
        for stage in 0..3 {
            for (who, kind, data, code) in table {
                let client = [&mut ada, &mut bob, &mut carol, &mut dan];
                let error = client.into_iter().nth(who).unwrap().refused(kind, data).await;
                check(kind, &error, code);
            }
            table = match stage {
                0 => {
                    ada.must("start_game", json!({})).await;
                    playing.to_vec()
                }
                _ => {
                    if stage == 1 {
                        ada.must("game_action", json!({"do": "finish"})).await;
                    }
                    finished.to_vec()
                }
            };
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_games_refusal_comes_with_its_details() {
    let gateway = gateway(&Probe::default());
    let options = json!({"min": 1, "max": 1});
    let (mut ada, _) = Client::host(&gateway, Codec::MsgPack, options).await;
    let error = ada.refused("game_action", json!({"do": "refuse"})).await;
    assert_eq!(
        error,
        json!({
            "code": "INVALID_MOVE", "message": "never", "retryable": false,
            "details": {"why": "rule 1"},
        })
    );
}

#[tokio::test(start_paused = true)]
async fn games_without_spectators_bots_or_a_host_start_say_so() {
    let gateway = Gateway::builder(roomy()).game(Probe::default()).game(Plain).start();
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({"spectators": 0})).await;
    check("start", &ada.refused("start_game", json!({})).await, "FORBIDDEN");
    let mut bob = Client::connect(&gateway, Codec::Json);
    let watch = json!({"roomId": room["roomId"], "playerName": "Bob", "spectator": true});
    check("watch", &bob.refused("join_room", watch).await, "SPECTATORS_NOT_ALLOWED");

    let plain = json!({"gameType": "plain", "playerName": "Bob"});
    bob.must("create_room", plain).await;
    check("bot", &bob.refused("add_bot", json!({})).await, "BOTS_NOT_SUPPORTED");
    let error = bob.refused("game_action", json!({})).await;
    check("turn", &error, "GAME_NOT_STARTED");
    let room = bob.must("list_rooms", json!({"gameType": "plain"})).await["rooms"][0].clone();
    Client::guest(&gateway, Codec::MsgPack, &room["roomId"], "Eve").await;
    check("turn", &bob.refused("game_action", json!({})).await, "NOT_YOUR_TURN");
}

/// A game that offers nothing, in which it is never anyone's turn.
struct Plain;

#[derive(Clone, Serialize, Deserialize)]
struct Nothing {}

impl Game for Plain {
    const GAME_TYPE: &'static str = "plain";

    type Options = Nothing;
    type State = Nothing;
    type Action = Nothing;
    type Event = Never;
    type View = Nothing;
    type Timer = Never;
    type Outcome = Never;

    fn about(&self) -> About {
        About::new("Plain", 2, 2)
    }

    fn rules(&self, _: &Nothing) -> Rules {
        Rules::seats(2, 2)
    }

    fn setup(&self, _: &Nothing, _: &mut Ctx<'_, Self>) -> Result<Nothing, GameError> {
        Ok(Nothing {})
    }

    fn on_action(
        &self,
        _: &mut Nothing,
        _: PlayerId,
        _: Nothing,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        Err(GameError::not_your_turn())
    }

    fn view(&self, _: &Nothing, _: Viewer) -> Nothing {
        Nothing {}
    }
}
