//! Three nodes as processes of their own, and people around one table who talk all the time, each by way of another node:
//! what they hear of each other, and for how long they wait, while something goes wrong.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parlor_client::protocol::{ChatMessage, EventType, RoomCode};
use parlor_client::{
    Ended, Happening, Happenings, Player, PlayerOptions, WayIn, new_room, seat_in,
};
use parlor_testutil::http::Ask;
use parlor_testutil::process::Program;
use parlor_testutil::redis::RedisServer;
use parlor_testutil::seat::name;
use parlor_testutil::wire::Wire;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long a node that is not heard of counts as there.
pub(crate) const LEASE: Duration = Duration::from_secs(4);
/// Longer than anything takes that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two things that one says.
const BREATH: Duration = Duration::from_millis(50);

/// The nodes and what they share.
pub(crate) struct Nodes {
    pub(crate) redis: RedisServer,
    /// From each node to Redis.
    pub(crate) wires: Vec<Wire>,
    pub(crate) programs: Vec<Option<Program>>,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Nodes {
    pub(crate) async fn start() -> Self {
        Self::on(RedisServer::start(&[]).await).await
    }

    pub(crate) async fn on(redis: RedisServer) -> Self {
        let (mut wires, mut programs) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let wire = Wire::to(SocketAddr::from(([127, 0, 0, 1], redis.port))).await;
            let url = wire.url("").replace("http://", "redis://");
            let program = tokio::task::spawn_blocking(move || {
                let arguments = ["--redis", &url, "--node-lease", "4s", "--requests-burst", "1000"];
                Program::start(env!("CARGO_BIN_EXE_parlor"), &arguments)
            });
            programs.push(Some(program.await.expect("it starts")));
            wires.push(wire);
        }
        let addresses = programs.iter().flatten().map(Program::address).collect();
        let nodes = Self { redis, wires, programs, addresses };
        for node in 0..3 {
            nodes.until(node, "/metrics", |body| body.contains("parlor_cluster_nodes 2")).await;
            nodes.until(node, crate::NO_ROOM, |body| body.contains("ROOM_NOT_FOUND")).await;
        }
        nodes
    }

    /// Waits until a node's answer is as it should be.
    pub(crate) async fn until(&self, node: usize, path: &str, is_so: impl Fn(&str) -> bool) {
        let looks = async {
            loop {
                if let Some(body) = self.get(node, path).await
                    && is_so(&body)
                {
                    return;
                }
                sleep(BREATH).await;
            }
        };
        if timeout(PATIENCE, looks).await.is_err() {
            panic!("{path} of node {node} stays {:?}", self.get(node, path).await);
        }
    }

    pub(crate) async fn get(&self, node: usize, path: &str) -> Option<String> {
        let stream = TcpStream::connect(self.addresses[node]).await.ok()?;
        let answer = timeout(Duration::from_secs(2), Ask::get(path).over(stream)).await;
        answer.ok().map(|answer| answer.body)
    }

    /// A figure of a node's.
    pub(crate) async fn figure(&self, node: usize, name: &str) -> u64 {
        let metrics = self.get(node, "/metrics").await.unwrap_or_default();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.parse::<f64>().ok()).map_or(0, |number| number as u64)
    }

    /// The codes of the public rooms that a node lists.
    pub(crate) async fn listed(&self, node: usize) -> Vec<String> {
        let body = self.get(node, "/api/v1/rooms").await.unwrap_or_default();
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let rooms = body["rooms"].as_array().cloned().unwrap_or_default();
        rooms.iter().filter_map(|room| Some(room["roomId"].as_str()?.to_owned())).collect()
    }

    pub(crate) fn signal(&self, node: usize, signal: &str) {
        self.programs[node].as_ref().expect("it was started").signal(signal);
    }

    pub(crate) fn kill(&mut self, node: usize) {
        drop(self.programs[node].take());
    }
}

/// One who talks and listens.
pub(crate) struct Talker {
    pub(crate) name: &'static str,
    player: Arc<Player>,
    hush: CancellationToken,
    talks: JoinHandle<Talked>,
    listens: JoinHandle<Heard>,
}

/// What became of what one said.
#[derive(Debug, Default)]
pub(crate) struct Talked {
    pub(crate) said: u64,
    /// The longest that one waited for an answer.
    pub(crate) longest: Duration,
}

/// What one heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// What was said, with its number. `None` where one was told the whole room anew.
    pub(crate) lines: Vec<Option<(u64, String)>>,
    pub(crate) ended: Option<Ended>,
}

/// A whole conversation.
pub(crate) struct Table {
    pub(crate) room: String,
    pub(crate) talkers: Vec<Talker>,
}

impl Table {
    /// Ada opens a room on node `owner`, the others come by the nodes of `ways`. The game begins, and all talk.
    pub(crate) async fn on(nodes: &Nodes, owner: usize, ways: &[(&'static str, usize)]) -> Self {
        let room = new_room("farkle", name("Ada"));
        let (ada, room) = sit_down(nodes, owner, room.into()).await;
        let mut seats = vec![("Ada", ada)];
        for (who, way) in ways {
            let room = RoomCode::parse(&room).expect("a room's code");
            let seat = seat_in(room, name(who));
            seats.push((who, sit_down(nodes, *way, seat.into()).await.0));
        }
        seats[0].1.0.start_game().await.expect("there are enough of them");
        let talkers = seats.into_iter().map(|(name, (player, happenings))| {
            let (player, hush) = (Arc::new(player), CancellationToken::new());
            let talks = tokio::spawn(talk(Arc::clone(&player), name, hush.clone()));
            Talker { name, player, hush, talks, listens: tokio::spawn(listen(happenings)) }
        });
        Self { room, talkers: talkers.collect() }
    }

    /// Lets everyone finish the sentence, and prints what they went through as rows of a table.
    ///
    /// Whoever is still there must have heard all that was said since it came, each once and in order, but where it was told
    /// the whole room anew.
    pub(crate) async fn end(self, what: &str) -> Vec<(&'static str, Talked, Heard)> {
        for talker in &self.talkers {
            talker.hush.cancel();
        }
        let mut done = Vec::new();
        for Talker { name, player, talks, listens, .. } in self.talkers {
            let talked = timeout(PATIENCE, talks).await.expect("it is answered").expect("no panic");
            done.push((name, player, talked, listens));
        }
        // What was said last is heard by all, for it was answered.
        sleep(BREATH * 4).await;
        let mut all = Vec::new();
        for (name, player, talked, listens) in done {
            drop(player);
            let heard = listens.await.expect("no panic");
            all.push((name, talked, heard));
        }
        check(what, &all);
        for (name, talked, heard) in &all {
            let anew = heard.lines.iter().filter(|line| line.is_none()).count().saturating_sub(1);
            let lines = heard.lines.iter().flatten().count();
            let end = match &heard.ended {
                Some(Ended::ByClient) | None => "plays on".to_owned(),
                Some(ended) => format!("{ended}"),
            };
            let longest = talked.longest.as_millis();
            println!(
                "| {what} | {name} | {} said, {lines} heard, {anew} times told anew | {longest} ms | {end} |",
                talked.said
            );
        }
        all
    }
}

/// What was heard, by everyone, is one conversation.
fn check(what: &str, all: &[(&'static str, Talked, Heard)]) {
    let mut record: std::collections::BTreeMap<u64, &str> = Default::default();
    for (who, _, heard) in all {
        let mut last = 0;
        for (seq, text) in heard.lines.iter().flatten() {
            assert!(*seq > last, "{what}: {who} heard {text:?} out of order or twice");
            last = *seq;
            let known = record.entry(*seq).or_insert(text);
            assert_eq!(known, text, "{what}: {who} heard something else as number {seq}");
        }
    }
    for (who, _, heard) in all {
        let mut last: Option<u64> = None;
        for line in &heard.lines {
            let Some((seq, _)) = line else {
                last = None;
                continue;
            };
            if let Some(last) = last {
                let missed: Vec<_> = record.range(last + 1..*seq).collect();
                assert!(missed.is_empty(), "{what}: {who} never heard {missed:?}");
            }
            last = Some(*seq);
        }
    }
    // Each thing that was said, and said to have been said, was said once.
    let mut texts: Vec<_> = record.values().collect();
    let count = texts.len();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), count, "{what}: something was said twice");
}

/// Sits down by way of a node, or when that is gone by way of the next.
async fn sit_down(
    nodes: &Nodes,
    first: usize,
    way_in: WayIn,
) -> ((Player, Happenings<Value>), String) {
    let mut addresses = nodes.addresses.clone();
    addresses.rotate_left(first);
    let mut turn = 0;
    // Where it is; after a loss it goes on to the next, as by a balancer.
    let connect = move |_: String| {
        let begin = turn;
        turn += 1;
        let addresses = addresses.clone();
        async move {
            let mut refused = io::Error::other("nobody is there");
            for at in 0..addresses.len() {
                match TcpStream::connect(addresses[(begin + at) % addresses.len()]).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => refused = error,
                }
            }
            Err(refused)
        }
    };
    let wait_max = Duration::from_millis(500);
    let mut options = PlayerOptions { wait_max, ..PlayerOptions::default() };
    options.connection.request_time_max = Duration::from_secs(10);
    let (player, mut happenings): (_, Happenings<Value>) =
        Player::over(connect, "ws://nodes.example/ws", way_in, options).expect("an address");
    let joined = loop {
        match timeout(PATIENCE, happenings.next()).await.expect("a seat").expect("a seat") {
            Happening::Snapshot(joined) => break joined.room_id,
            Happening::State(_) | Happening::Event(_) => {}
        }
    };
    ((player, happenings), joined.to_string())
}

async fn talk(player: Arc<Player>, who: &'static str, hush: CancellationToken) -> Talked {
    let mut talked = Talked::default();
    while !hush.is_cancelled() {
        let began = Instant::now();
        let answer = player.chat(format!("{who} {}", talked.said)).await;
        talked.longest = talked.longest.max(began.elapsed());
        if answer.is_err() {
            break;
        }
        talked.said += 1;
        sleep(BREATH).await;
    }
    talked
}

async fn listen(mut happenings: Happenings<Value>) -> Heard {
    let mut heard = Heard { lines: vec![None], ended: None };
    loop {
        match happenings.next().await {
            Ok(Happening::Snapshot(_)) => heard.lines.push(None),
            Ok(Happening::Event(event)) if event.kind == EventType::ChatMessage => {
                let line: ChatMessage = event.data().expect("a line");
                heard.lines.push(Some((event.seq.expect("a number"), line.text)));
            }
            Ok(Happening::Event(_) | Happening::State(_)) => {}
            Err(ended) => {
                heard.ended = Some(ended);
                return heard;
            }
        }
    }
}
