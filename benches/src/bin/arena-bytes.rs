//! What a round of the arena sends to each player: patches, and whole states in their place.
//!
//! ```sh
//! cargo run --release -p parlor-bench --bin arena-bytes -- 20
//! ```
//!
//! Plays for so many seconds with 4 and with 16 players, of whom two are connected, one in each codec, and
//! run about; the others are bots. What is sent is counted as it would be written, without the
//! frames around it. Each state that was shown is then encoded whole as well.

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use parlor_bench::arena::{Guest, read};
use parlor_core::PlayerId;
use parlor_games::Arena;
use parlor_gateway::{Gateway, GatewayConfig};
use parlor_protocol::Codec;
use serde_json::{Value, json};
use tokio::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let seconds: u64 = std::env::args().nth(1).map_or(Ok(20), |seconds| seconds.parse())?;
    let runtime = parlor_server::runtime()?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "players  codec    states/s  patches      as sent: B each   B/s  whole: B each   B/s"
    )?;
    for players in [4, 16] {
        for tally in runtime.block_on(play(players, Duration::from_secs(seconds)))? {
            let per_second = |count: usize| count as f64 / seconds as f64;
            let each = |bytes: usize| bytes as f64 / tally.states.max(1) as f64;
            writeln!(
                out,
                "{players:7}  {:7}  {:8.1}  {:6.1} %  {:17.1} {:5.0} {:14.1} {:5.0}",
                format!("{:?}", tally.codec),
                per_second(tally.states),
                100.0 * tally.patches as f64 / tally.states.max(1) as f64,
                each(tally.sent_bytes),
                per_second(tally.sent_bytes),
                each(tally.whole_bytes),
                per_second(tally.whole_bytes),
            )?;
        }
    }
    Ok(())
}

async fn play(players: usize, duration: Duration) -> Result<Vec<Tally>, Box<dyn Error>> {
    let gateway = Gateway::builder(GatewayConfig::default()).game(Arena).start();
    let mut host = Guest::connect(&gateway, Codec::Json);
    let data = json!({"gameType": "arena", "playerName": "Json", "options": {"roundSeconds": 600}});
    let room = host.must("create_room", data).await["roomId"].clone();
    let mut guest = Guest::connect(&gateway, Codec::MsgPack);
    guest.must("join_room", json!({"roomId": room, "playerName": "MsgPack"})).await;
    for _ in 2..players {
        host.must("add_bot", json!({"level": "sprinter"})).await;
    }
    host.send("start_game", &json!({})).await;

    let until = Instant::now() + duration;
    let tallied = |guest: Guest, id, codec| {
        tokio::spawn(async move {
            let mut tally = Tally::new(codec);
            guest.run_about(PlayerId(id), until, |payload| tally.add(payload)).await;
            tally
        })
    };
    let both = [tallied(host, 1, Codec::Json), tallied(guest, 2, Codec::MsgPack)];
    let mut tallies = Vec::new();
    for tally in both {
        tallies.push(tally.await?);
    }
    Ok(tallies)
}

/// What one player was sent of the state.
struct Tally {
    codec: Codec,
    states: usize,
    patches: usize,
    sent_bytes: usize,
    /// What it would have been without patches.
    whole_bytes: usize,
    state: Value,
}

impl Tally {
    fn new(codec: Codec) -> Self {
        let (states, patches, sent_bytes, whole_bytes) = Default::default();
        Self { codec, states, patches, sent_bytes, whole_bytes, state: Value::Null }
    }

    fn add(&mut self, payload: &[u8]) {
        let mut message = read(self.codec, payload);
        let kind = message["type"].as_str().unwrap_or_default().to_owned();
        match &*kind {
            "room_state" => self.state = message["data"]["state"].take(),
            "room_patch" => {
                self.patches += 1;
                apply(&mut self.state, &message["data"]["ops"]);
            }
            _ => return,
        }
        let data =
            json!({"version": message["data"]["version"], "phase": "playing", "state": self.state});
        let whole = json!({"type": "room_state", "seq": message["seq"], "data": data});
        self.states += 1;
        self.sent_bytes += payload.len();
        self.whole_bytes += self.codec.encode(&whole).expect("a tree can be encoded").len();
    }
}

/// Applies a patch, as far as the arena needs it: its lists keep their lengths.
fn apply(state: &mut Value, ops: &Value) {
    for op in ops.as_array().into_iter().flatten() {
        let Some((parent, key)) = op["path"].as_str().and_then(|path| path.rsplit_once('/')) else {
            continue;
        };
        match (state.pointer_mut(parent), key.parse::<usize>()) {
            (Some(Value::Object(map)), _) if op["op"] == "remove" => drop(map.remove(key)),
            (Some(Value::Object(map)), _) => drop(map.insert(key.to_owned(), op["value"].clone())),
            (Some(Value::Array(list)), Ok(place)) => list[place] = op["value"].clone(),
            _ => {}
        }
    }
}
