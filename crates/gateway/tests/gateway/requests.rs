//! Every request of the protocol succeeds and answers in the shape that it promises.

use parlor_gateway::{AuthenticateError, Authenticator, Gateway, Identity};
use parlor_protocol::{Codec, PlayerName, RequestType, Secret};
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, gateway, roomy};

/// Believes that everyone is whom it says.
struct Anyone;

impl Authenticator for Anyone {
    async fn authenticate(&self, token: &Secret) -> Result<Identity, AuthenticateError> {
        let mut identity = Identity::new(token.expose());
        identity.name = PlayerName::parse(token.expose()).ok();
        Ok(identity)
    }
}

/// The names of an object's fields, sorted.
fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

const JOINED: [&str; 13] = [
    "chat",
    "epoch",
    "gameType",
    "host",
    "lastId",
    "phase",
    "playerId",
    "players",
    "roomId",
    "seq",
    "sessionToken",
    "state",
    "version",
];

#[tokio::test(start_paused = true)]
async fn every_request_succeeds_and_answers_with_its_fields_in_both_codecs() {
    for [first, second] in [[Codec::Json, Codec::MsgPack], [Codec::MsgPack, Codec::Json]] {
        let gateway =
            Gateway::builder(roomy()).game(Probe::default()).authenticator(Anyone).start();
        let (mut ada, mut bob) =
            (Client::connect(&gateway, first), Client::connect(&gateway, second));
        let mut carol = Client::connect(&gateway, first);
        let mut dan = Client::connect(&gateway, second);
        let options = json!({"min": 1, "max": 3, "start": "Host", "late_join": true});
        let create = json!({
            "gameType": "probe", "playerName": " Ada ", "options": options, "private": false,
            "password": "open sesame", "maxPlayers": 2, "metadata": {"level": 3, "title": "x"},
            "key": "0123456789abcdef",
        });
        let joined = ada.must("create_room", create).await;
        let room = &joined["roomId"];
        let join = json!({"roomId": room, "playerName": "Bob", "password": "open sesame"});
        let watch = json!({
            "roomId": room.as_str().unwrap().to_lowercase(), "playerName": "Ada",
            "password": "open sesame", "spectator": true,
        });
        assert_eq!(fields(&joined), JOINED);
        assert_eq!(
            joined["players"][0],
            json!({
                "playerId": 1, "name": "Ada", "kind": "human", "connected": true, "ready": false,
            })
        );
        let bobs = bob.must("join_room", join).await;
        assert_eq!(fields(&bobs), JOINED);
        assert_eq!((&bobs["host"], &bobs["phase"]), (&json!(1), &json!("lobby")));
        let carols = carol.must("join_room", watch).await;
        assert_eq!(carols["players"][2]["name"], "Ada 2", "a taken name gets a number");
        assert_eq!(carols["players"][2]["kind"], "spectator");

        let mut done = vec!["create_room", "join_room"];
        for (who, kind, data, expect) in [
            (0, "ping", json!({}), &["serverTime"][..]),
            (3, "authenticate", json!({"token": "Dan"}), &["playerName"]),
            (0, "list_games", json!({}), &["games"]),
            (0, "list_rooms", json!({"gameType": "probe", "limit": 1}), &["rooms"]),
            (2, "subscribe_rooms", json!({"gameType": "probe"}), &["more", "rooms"]),
            (2, "unsubscribe_rooms", json!({"gameType": "probe"}), &["more", "rooms"]),
            (2, "get_state", json!({}), &["phase", "seq", "state", "version"]),
            (1, "set_ready", json!({"ready": true}), &["seq"]),
            (1, "set_role", json!({"spectator": true}), &["seq"]),
            (2, "chat", json!({"text": "hello"}), &["seq"]),
            (0, "add_bot", json!({"name": "Robo", "level": "quick"}), &["playerId", "seq"]),
            (0, "remove_bot", json!({"playerId": 4}), &["seq"]),
            (0, "update_room", json!({"locked": true, "password": null}), &["seq"]),
            (0, "start_game", json!({}), &["seq"]),
            (0, "game_action", json!({"do": "finish"}), &["seq"]),
            (0, "rematch", json!({}), &["seq"]),
            (1, "set_role", json!({"spectator": false}), &["seq"]),
            (0, "set_host", json!({"playerId": 2}), &["seq"]),
            (1, "kick_player", json!({"playerId": 3, "ban": true}), &["seq"]),
            (1, "leave_room", json!({}), &["seq"]),
        ] {
            let client = [&mut ada, &mut bob, &mut carol, &mut dan][who].ask(kind, data).await;
            assert_eq!(client["success"], true, "{kind}: {client}");
            assert_eq!(client["type"], format!("{kind}_result"));
            assert_eq!(fields(&client["data"]), expect, "{kind}");
            done.push(kind);
        }
        let quick = json!({"gameType": "probe", "playerName": "Bob", "options": {"max": 4}});
        assert_eq!(fields(&bob.must("quick_match", quick).await), JOINED);
        drop(ada);
        let mut ada = Client::connect(&gateway, second);
        let token = json!({
            "sessionToken": joined["sessionToken"], "epoch": "another", "lastSeq": 3, "attempt": 1,
        });
        let back = ada.must("reconnect", token).await;
        assert_eq!(fields(&back).len(), JOINED.len(), "`resumed` in the place of the token");
        done.extend(["quick_match", "reconnect"]);

        let missing: Vec<_> =
            RequestType::ALL.iter().filter(|kind| !done.contains(&kind.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn listings_and_games_show_what_the_protocol_says() {
    let gateway = gateway(&Probe::default());
    let (mut ada, room) = Client::host(&gateway, Codec::Json, json!({"max": 3})).await;
    let games = ada.must("list_games", json!({})).await;
    assert_eq!(
        games["games"][0],
        json!({
            "gameType": "probe", "title": "Probe", "minPlayers": 1, "maxPlayers": 8, "bots": true,
            "realtime": false,
        })
    );
    let mut rooms = ada.must("list_rooms", json!({})).await;
    let info = rooms["rooms"][0].as_object_mut().unwrap();
    assert!(info.remove("createdAt").unwrap().as_u64().unwrap() > 0);
    assert_eq!(info.remove("options").unwrap()["max"], 3, "with the defaults filled in");
    assert_eq!(
        rooms["rooms"][0],
        json!({
            "roomId": room["roomId"], "gameType": "probe", "playerCount": 1, "botCount": 0,
            "maxPlayers": 3, "spectatorCount": 0, "phase": "lobby", "hasPassword": false,
            "locked": false, "joinable": true, "metadata": {},
        })
    );
}

#[tokio::test(start_paused = true)]
async fn every_event_of_the_room_reaches_the_others_with_its_data() {
    for codec in Codec::ALL {
        let gateway = gateway(&Probe::default());
        let options = json!({
            "min": 1, "max": 3, "start": "Host", "after_grace": {"StandIn": {"level": "quick"}},
        });
        let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
        let (mut eve, _) = Client::guest(&gateway, codec, &room["roomId"], "Eve").await;
        let (mut bob, bobs) = Client::guest(&gateway, Codec::Json, &room["roomId"], "Bob").await;
        let joined = eve.event("player_joined");
        assert_eq!(joined["playerId"], 2, "its own first");
        assert_eq!(eve.event("player_joined")["name"], "Bob");

        bob.must("set_ready", json!({"ready": true})).await;
        assert_eq!(eve.event("player_ready"), json!({"playerId": 3, "ready": true}));
        bob.must("chat", json!({"text": "hi"})).await;
        let mut line = eve.event("chat_message");
        assert!(line["at"].take().as_u64().is_some());
        assert_eq!(line, json!({"playerId": 3, "name": "Bob", "text": "hi", "at": null}));
        ada.must("update_room", json!({"metadata": {"title": "t"}, "password": "p"})).await;
        let info = eve.event("room_updated");
        assert_eq!(info["metadata"], json!({"title": "t"}));
        assert_eq!(info["hasPassword"], true);
        ada.must("set_host", json!({"playerId": 2})).await;
        assert_eq!(eve.event("host_changed"), json!({"playerId": 2}));
        eve.must("start_game", json!({})).await;
        assert_eq!(eve.event("game_started"), json!({}));
        assert_eq!(eve.event("room_state")["phase"], "playing");
        bob.must("game_action", json!({"do": "shout", "times": 1})).await;
        assert_eq!(
            eve.event("game_event"),
            json!({
                "name": "shouted", "data": {"time": 0, "fragile": null},
            })
        );
        drop(bob);
        let lost = eve.event("player_disconnected");
        assert_eq!(fields(&lost), ["graceUntil", "playerId"]);
        crate::support::pass(std::time::Duration::from_secs(61)).await;
        let replaced = eve.event("player_replaced");
        assert_eq!((&replaced["playerId"], &replaced["kind"]), (&json!(3), &json!("bot")));
        let mut bob = Client::connect(&gateway, Codec::Json);
        bob.must("reconnect", json!({"sessionToken": bobs["sessionToken"]})).await;
        assert_eq!(eve.event("player_replaced")["kind"], "human");
        drop(bob);
        eve.event("player_disconnected");
        let mut bob = Client::connect(&gateway, Codec::Json);
        bob.must("reconnect", json!({"sessionToken": bobs["sessionToken"]})).await;
        assert_eq!(eve.event("player_reconnected"), json!({"playerId": 3}));
        bob.must("game_action", json!({"do": "finish"})).await;
        assert_eq!(eve.event("game_finished"), json!({"result": {"total": 0}}));
        assert_eq!(eve.event("room_state")["phase"], "finished");
        bob.must("leave_room", json!({})).await;
        assert_eq!(eve.event("player_left"), json!({"playerId": 3, "reason": "left"}));
    }
}
