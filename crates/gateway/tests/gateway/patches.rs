//! States as patches: whoever follows them has, at each version it knows, what the server shows it then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::board::Board;
use crate::support::{Client, pass, roomy};

fn gateway() -> Arc<Gateway> {
    Gateway::builder(roomy()).game(Board).start()
}

async fn host(gateway: &Arc<Gateway>, options: Value) -> (Client, Value) {
    let mut ada = Client::connect(gateway, Codec::Json);
    let data = json!({"gameType": "board", "playerName": "Ada", "options": options});
    let joined = ada.must("create_room", data).await;
    (ada, joined["roomId"].clone())
}

async fn write(client: &mut Client, board: Value) {
    client.must("game_action", json!({ "board": board })).await;
}

/// The kinds of the state updates that wait for `client`, and of patches what they build on.
fn updates(client: &mut Client) -> Vec<(String, Option<u64>)> {
    let messages = client.drain();
    let update = |message: &Value| {
        let kind = message["type"].as_str().filter(|kind| kind.starts_with("room_"))?;
        Some((kind.to_owned(), message["data"]["base"].as_u64()))
    };
    messages.iter().filter_map(update).collect()
}

/// Long enough for a patch to be shorter than all of it.
fn long(end: u64) -> Value {
    let lines: Vec<String> = (0..20).map(|line| format!("line {line} of a long text")).collect();
    json!({"lines": lines, "end": end})
}

#[tokio::test(start_paused = true)]
async fn a_small_change_in_a_large_view_is_sent_as_a_patch_and_a_large_one_whole() {
    let gateway = gateway();
    let (mut ada, _) = host(&gateway, json!({"mode": "Patch"})).await;
    ada.must("start_game", json!({})).await;
    write(&mut ada, long(1)).await;
    ada.drain();

    write(&mut ada, long(2)).await;
    let patch = ada.event("room_patch");
    assert_eq!(patch["base"].as_u64().unwrap() + 1, patch["version"].as_u64().unwrap());
    let expect = json!([{"op": "replace", "path": "/board/end", "value": 2}]);
    assert_eq!(patch["ops"], expect);

    write(&mut ada, json!("short")).await;
    let state = ada.event("room_state");
    assert_eq!(state["state"]["board"], "short");
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_have_what_a_patch_builds_on_gets_the_whole_state() {
    let gateway = gateway();
    let (mut ada, room) = host(&gateway, json!({"mode": "Patch"})).await;
    ada.must("start_game", json!({})).await;
    write(&mut ada, long(1)).await;
    ada.drain();

    // One that has just come in, at a version that the others do not know.
    let (mut bob, joined) = Client::guest(&gateway, Codec::MsgPack, &room, "Bob").await;
    bob.drain();
    ada.drain();
    write(&mut ada, long(2)).await;
    assert_eq!(updates(&mut ada)[0].0, "room_patch");
    bob.drain();
    write(&mut ada, long(3)).await;
    assert_eq!(updates(&mut bob)[0].0, "room_patch", "from then on it has what the others have");

    // One whose last state still waits.
    ada.drain();
    write(&mut ada, long(4)).await;
    write(&mut ada, long(5)).await;
    assert_eq!(updates(&mut bob), [("room_state".to_owned(), None)]);

    // One that comes back, whichever way.
    for with_history in [true, false] {
        let epoch = joined["epoch"].clone();
        let seq = ada.must("get_state", json!({})).await["seq"].clone();
        drop(bob);
        bob = Client::connect(&gateway, Codec::MsgPack);
        let mut data = json!({"sessionToken": joined["sessionToken"]});
        if with_history {
            data["epoch"] = epoch;
            data["lastSeq"] = seq;
        }
        let back = bob.must("reconnect", data).await;
        assert_eq!(back["resumed"], if with_history { "replayed" } else { "snapshot" });
        write(&mut ada, long(6 + u64::from(with_history))).await;
        assert_eq!(updates(&mut bob)[0].0, "room_state", "the first that it hears of");
    }
}

#[tokio::test(start_paused = true)]
async fn get_state_is_the_new_base_for_patches() {
    let gateway = gateway();
    // States are shown once a second, so that the answer is ahead of them.
    let (mut ada, _) = host(&gateway, json!({"mode": "Patch", "rate": 1})).await;
    ada.must("start_game", json!({})).await;
    pass(Duration::from_secs(2)).await;
    write(&mut ada, long(1)).await;
    write(&mut ada, long(2)).await;
    ada.drain();
    let answer = ada.must("get_state", json!({})).await;
    assert_eq!(answer["state"]["board"]["end"], 2);

    pass(Duration::from_secs(1)).await;
    assert_eq!(updates(&mut ada), [("room_state".to_owned(), None)], "it was not shown yet");
    let answer = ada.must("get_state", json!({})).await;
    write(&mut ada, long(3)).await;
    pass(Duration::from_secs(1)).await;
    assert_eq!(updates(&mut ada), [("room_patch".to_owned(), answer["version"].as_u64())]);
}

#[tokio::test(start_paused = true)]
async fn a_start_is_followed_by_the_whole_state_though_patches_are_sent() {
    let gateway = gateway();
    let (mut ada, _) = host(&gateway, json!({"mode": "Patch"})).await;
    ada.drain();
    ada.must("start_game", json!({})).await;
    assert_eq!(updates(&mut ada), [("room_state".to_owned(), None)]);
}

#[tokio::test(start_paused = true)]
async fn a_game_of_events_sends_no_states_in_play_and_whoever_missed_one_gets_a_snapshot() {
    let gateway = gateway();
    let (mut ada, room) = host(&gateway, json!({"mode": "Events"})).await;
    let (mut bob, joined) = Client::guest(&gateway, Codec::Json, &room, "Bob").await;
    let missing = bob.must("get_state", json!({})).await["seq"].clone();
    ada.must("start_game", json!({})).await;
    let seen = ada.must("get_state", json!({})).await["seq"].clone();
    bob.drain();
    write(&mut ada, json!(1)).await;
    assert_eq!(updates(&mut bob), []);

    for (last_seq, resumed) in [(seen, "replayed"), (missing, "snapshot")] {
        drop(bob);
        bob = Client::connect(&gateway, Codec::Json);
        let token = joined["sessionToken"].clone();
        let data = json!({"sessionToken": token, "epoch": joined["epoch"], "lastSeq": last_seq});
        assert_eq!(bob.must("reconnect", data).await["resumed"], resumed);
    }
}

#[tokio::test(start_paused = true)]
async fn actions_that_wait_for_their_step_are_answered_at_once_and_refused_by_an_event() {
    let gateway = gateway();
    let (mut ada, room) = host(&gateway, json!({"steps": 10, "gathered": true})).await;
    let (mut bob, _) = Client::guest(&gateway, Codec::MsgPack, &room, "Bob").await;
    ada.must("start_game", json!({})).await;
    bob.drain();
    let id = crate::support::next_id();
    ada.send(&json!({"type": "game_action", "id": id, "data": {"board": "never"}})).await;
    ada.drain();
    pass(Duration::from_millis(100)).await;

    let refused = ada.event("action_refused");
    assert_eq!(refused["requestId"], id);
    assert_eq!(refused["error"]["code"], "INVALID_MOVE");
    let heard = bob.drain();
    assert!(heard.iter().all(|message| message["type"] != "action_refused"), "{heard:?}");
}

/// What a client does or what is done around it.
#[derive(Clone, Debug)]
enum Move {
    Write(Value),
    /// Client number so and so reads up to so many messages.
    Read(usize, usize),
    AskForState(usize),
    /// It loses its socket and comes back, with or without what it knows, in a codec.
    Return(usize, bool, Codec),
    Pass(u64),
}

/// A client that follows states as the protocol has it, and believes the server.
struct Follower {
    client: Client,
    token: Value,
    epoch: Value,
    last_seq: u64,
    version: u64,
    state: Value,
}

impl Follower {
    fn take_state(&mut self, data: &Value) {
        self.version = data["version"].as_u64().unwrap();
        self.state = data["state"].clone();
    }

    /// Takes what waits, up to so many messages, and checks each state that comes of it.
    fn read(&mut self, max: usize, shown: &Shown) {
        // What came with the answer to coming back waits in the inbox.
        let mut messages: Vec<Value> = self.client.inbox.drain(..).collect();
        messages.extend(match max {
            usize::MAX => self.client.drain(),
            max => self.client.take(max),
        });
        for message in messages {
            let data = &message["data"];
            if message.get("success").is_none()
                && let Some(seq) = message["seq"].as_u64()
            {
                assert!(seq > self.last_seq, "numbers rise: {message}");
                self.last_seq = seq;
            }
            match message["type"].as_str().unwrap() {
                "room_state" => self.take_state(data),
                "room_patch" => {
                    assert_eq!(data["base"], self.version, "it builds on what was sent: {message}");
                    for op in data["ops"].as_array().unwrap() {
                        apply(&mut self.state, op);
                    }
                    self.version = data["version"].as_u64().unwrap();
                }
                "get_state_result" => self.take_state(data),
                _ => {}
            }
            shown.check(self);
        }
    }
}

/// The board and the number of steps at each version, as one who asks for it all the time sees it.
#[derive(Default)]
struct Shown(BTreeMap<u64, (Value, Value)>);

impl Shown {
    fn check(&self, follower: &Follower) {
        // A version made and left between two looks is not known here.
        if let Some((board, steps)) = self.0.get(&follower.version) {
            assert_eq!((&follower.state["board"], &follower.state["steps"]), (board, steps));
        }
    }
}

/// A plain reading of RFC 6902.
fn apply(document: &mut Value, op: &Value) {
    let path = op["path"].as_str().unwrap();
    let (above, last) = path.rsplit_once('/').expect("the root is never patched");
    let key = last.replace("~1", "/").replace("~0", "~");
    let value = op.get("value").cloned();
    match (op["op"].as_str().unwrap(), document.pointer_mut(above).expect("a path that leads on")) {
        ("remove", Value::Object(map)) => drop(map.remove(&key).expect("it is there")),
        ("remove", Value::Array(list)) => drop(list.remove(key.parse().unwrap())),
        ("add", Value::Array(list)) => list.insert(key.parse().unwrap(), value.unwrap()),
        ("replace", Value::Array(list)) => list[key.parse::<usize>().unwrap()] = value.unwrap(),
        ("add", Value::Object(map)) => assert!(map.insert(key, value.unwrap()).is_none()),
        ("replace", Value::Object(map)) => assert!(map.insert(key, value.unwrap()).is_some()),
        (other, into) => panic!("{other} in {into}"),
    }
}

async fn follow(options: Value, moves: Vec<Move>) {
    let gateway = gateway();
    let (mut ada, room) = host(&gateway, options).await;
    let mut followers = Vec::new();
    for (number, codec) in [Codec::Json, Codec::MsgPack, Codec::Json].into_iter().enumerate() {
        let (client, joined) = Client::guest(&gateway, codec, &room, &format!("P{number}")).await;
        let (token, epoch) = (joined["sessionToken"].clone(), joined["epoch"].clone());
        let last_seq = joined["seq"].as_u64().unwrap();
        let mut follower =
            Follower { client, token, epoch, last_seq, version: 0, state: Value::Null };
        follower.take_state(&joined);
        followers.push(follower);
    }
    ada.must("start_game", json!({})).await;

    let mut shown = Shown::default();
    for step in moves {
        match step {
            Move::Write(board) => write(&mut ada, board).await,
            Move::Read(number, max) => followers[number].read(max, &shown),
            Move::AskForState(number) => {
                let request = json!({"type": "get_state"});
                followers[number].client.send(&request).await;
            }
            Move::Return(number, with_history, codec) => {
                let follower = &mut followers[number];
                let mut data = json!({"sessionToken": follower.token});
                if with_history {
                    data["epoch"] = follower.epoch.clone();
                    data["lastSeq"] = follower.last_seq.into();
                }
                follower.client = Client::connect(&gateway, codec);
                let back = follower.client.must("reconnect", data).await;
                follower.last_seq = back["seq"].as_u64().unwrap();
                if back["resumed"] == "snapshot" {
                    follower.take_state(&back);
                }
            }
            Move::Pass(millis) => pass(Duration::from_millis(millis)).await,
        }
        let now = ada.must("get_state", json!({})).await;
        let state = &now["state"];
        let seen = (state["board"].clone(), state["steps"].clone());
        shown.0.insert(now["version"].as_u64().unwrap(), seen);
        ada.drain();
    }

    // Time for the last state to be shown, then all have it.
    pass(Duration::from_secs(2)).await;
    write(&mut ada, json!("the end")).await;
    pass(Duration::from_secs(2)).await;
    for follower in &mut followers {
        follower.read(usize::MAX, &shown);
        assert_eq!(follower.state["board"], "the end");
    }
}

fn board() -> impl Strategy<Value = Value> {
    let item = || {
        prop_oneof![
            (0..3u8).prop_map(Value::from),
            Just(json!("a text of some length, so that patches pay")),
        ]
    };
    let entries = prop::collection::vec((prop::sample::select(vec!["a", "b/", "c"]), item()), 0..4);
    let map = entries.prop_map(|entries| {
        let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
        Value::Object(entries.collect::<Map<_, _>>())
    });
    (map, prop::collection::vec(item(), 0..5))
        .prop_map(|(map, list)| json!({"map": map, "list": list}))
}

fn a_move() -> impl Strategy<Value = Move> {
    let codec = || prop::sample::select(Codec::ALL.to_vec());
    prop_oneof![
        8 => board().prop_map(Move::Write),
        6 => (0..3usize, prop_oneof![Just(1), Just(usize::MAX)])
            .prop_map(|(who, max)| Move::Read(who, max)),
        1 => (0..3usize).prop_map(Move::AskForState),
        1 => (0..3usize, any::<bool>(), codec())
            .prop_map(|(who, with_history, codec)| Move::Return(who, with_history, codec)),
        2 => (0..400u64).prop_map(Move::Pass),
    ]
}

fn options() -> impl Strategy<Value = Value> {
    let rates = prop::sample::select(vec![(0, 0), (0, 0), (5, 0), (0, 10), (4, 10)]);
    (rates, any::<bool>()).prop_map(|((rate, steps), own_views)| {
        json!({"mode": "Patch", "rate": rate, "steps": steps, "own_views": own_views})
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(96)
    })]

    #[test]
    fn whoever_follows_patches_has_at_each_version_what_the_server_shows(
        options in options(),
        moves in prop::collection::vec(a_move(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(follow(options, moves));
    }
}
