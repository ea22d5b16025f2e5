//! What a player may not see is in no byte that is ever sent to anyone else.

use std::time::Duration;

use parlor_protocol::Codec;
use serde_json::{Value, json};

use crate::probe::{How, Probe};
use crate::support::{Client, contains, gateway, pass};

/// The word that a picture of the room shows to its owner.
fn word(picture: &Value) -> String {
    picture["state"]["word"].as_str().expect("a word").to_owned()
}

/// A whole evening: a game with joins, chat, errors, lost and found connections, takeovers, a
/// spectator, a bot, changes of role, breakdowns, a rematch. Each player's words, the old and the
/// new, are looked for in every byte of everyone else.
#[tokio::test(start_paused = true)]
async fn a_players_word_is_never_sent_to_anyone_else_in_a_whole_evening() {
    for [first, second] in
        [[Codec::Json, Codec::MsgPack], [Codec::MsgPack, Codec::Json], [Codec::Json; 2]]
    {
        let probe = Probe::default();
        let gateway = gateway(&probe);
        let mut lobby = Client::connect(&gateway, first);
        lobby.must("subscribe_rooms", json!({"gameType": "probe"})).await;

        let options = json!({"min": 2, "max": 4, "start": "Host", "late_join": true});
        let (mut ada, of_ada) = Client::host(&gateway, first, options).await;
        let room = &of_ada["roomId"];
        let (mut bob, of_bob) = Client::guest(&gateway, second, room, "Bob").await;
        let mut carol = Client::connect(&gateway, second);
        let watch = json!({"roomId": room, "playerName": "Carol", "spectator": true});
        carol.must("join_room", watch).await;
        ada.must("add_bot", json!({})).await;
        let mut words = [vec![word(&of_ada)], vec![word(&of_bob)]];
        let mut bytes = [Vec::new(), Vec::new()];

        ada.must("start_game", json!({})).await;
        for total in 1..6 {
            ada.must("game_action", json!({"do": "set", "total": total})).await;
            ada.must("game_action", json!({"do": "shout", "times": 2})).await;
            bob.refused("game_action", json!({"do": "refuse"})).await;
            bob.refused("game_action", json!({"do": "sing"})).await;
            bob.must("chat", json!({"text": "well"})).await;
            carol.refused("game_action", json!({"do": "set", "total": 9})).await;
            carol.must("get_state", json!({})).await;
            bob.must("get_state", json!({})).await;
            pass(Duration::from_secs(1)).await;
        }
        // Ada's word to herself; Bob's to himself: both are addressed.
        ada.must("game_action", json!({"do": "whisper", "to": of_ada["playerId"]})).await;
        bob.must("game_action", json!({"do": "whisper", "to": of_bob["playerId"]})).await;

        for trap in ["on_action", "serialize_view", "serialize_event"] {
            probe.arm(trap, How::Panics);
            bob.ask("game_action", json!({"do": "shout", "times": 1})).await;
            bob.ask("get_state", json!({})).await;
        }
        probe.disarm();

        // Lost and found, then taken over, then in the other role and back.
        let token = json!({"sessionToken": of_bob["sessionToken"]});
        for _ in 0..2 {
            bob.receive();
            bytes[1].append(&mut bob.bytes);
            bob = Client::connect(&gateway, first);
            assert_eq!(word(&bob.must("reconnect", token.clone()).await), words[1][0]);
        }
        bob.must("set_role", json!({"spectator": true})).await;
        ada.must("game_action", json!({"do": "set", "total": 20})).await;
        bob.must("set_role", json!({"spectator": false})).await;
        words[1].push(word(&bob.must("get_state", json!({})).await));
        assert_ne!(words[1][0], words[1][1]);
        let (mut late, of_late) = Client::guest(&gateway, second, room, "Dan").await;
        words[1].push(word(&of_late));

        ada.must("game_action", json!({"do": "finish"})).await;
        ada.must("rematch", json!({})).await;
        words[0].push(word(&ada.must("get_state", json!({})).await));
        late.must("leave_room", json!({})).await;
        ada.must("start_game", json!({})).await;
        ada.must("game_action", json!({"do": "set", "total": 1})).await;
        pass(Duration::from_secs(2)).await;
        lobby.must("list_rooms", json!({})).await;

        for client in [&mut ada, &mut bob, &mut carol, &mut lobby, &mut late] {
            client.receive();
            assert_eq!(client.closed, None);
        }
        bytes[0].append(&mut ada.bytes);
        bytes[1].append(&mut bob.bytes);
        assert!(words[0].iter().all(|word| contains(&bytes[0], word)), "the search finds");
        assert!(words[1][..2].iter().all(|word| contains(&bytes[1], word)), "the search finds");
        let bots_saw = probe.bots_saw();
        assert!(bots_saw.contains("\"word\""), "the bot was asked");
        for word in words.iter().flatten() {
            assert!(!contains(&carol.bytes, word), "the spectator saw {word}");
            assert!(!contains(&lobby.bytes, word), "the listing showed {word}");
            assert!(!bots_saw.contains(word.as_str()), "the bot saw {word}");
        }
        for word in &words[0] {
            assert!(!contains(&bytes[1], word) && !contains(&late.bytes, word));
        }
        for word in &words[1] {
            assert!(!contains(&bytes[0], word), "Ada saw {word}");
        }
        assert!(!contains(&bytes[1], &words[1][2]), "Bob saw Dan's");
    }
}

#[tokio::test(start_paused = true)]
async fn players_hear_during_play_what_spectators_say_only_if_the_rules_let_them() {
    for heard in [false, true] {
        let gateway = gateway(&Probe::default());
        let options = json!({"min": 1, "max": 2, "start": "Host", "spectators_heard": heard});
        let (mut ada, room) = Client::host(&gateway, Codec::Json, options).await;
        let mut eve = Client::connect(&gateway, Codec::MsgPack);
        let watch = json!({"roomId": room["roomId"], "playerName": "Eve", "spectator": true});
        eve.must("join_room", watch).await;
        eve.must("chat", json!({"text": "before the start"})).await;
        ada.must("start_game", json!({})).await;
        eve.must("chat", json!({"text": "she has an ace"})).await;
        assert_eq!(eve.event("chat_message")["text"], "before the start");
        assert_eq!(eve.event("chat_message")["text"], "she has an ace");

        // By an event, and by the lines that one who comes back is told.
        let back = json!({"sessionToken": room["sessionToken"]});
        ada.drain();
        let mut again = Client::connect(&gateway, Codec::Json);
        again.must("reconnect", back).await;
        let all = [ada.bytes, again.bytes].concat();
        assert!(contains(&all, "before the start"));
        assert_eq!(contains(&all, "she has an ace"), heard);
    }
}
