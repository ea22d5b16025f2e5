//! What it costs that a player's socket is on another node than its room: time, processor, messages on Redis.
//!
//! ```sh
//! cargo run --release -p parlor-bench --bin relay -- 50 2
//! ```
//!
//! Starts a Redis and two nodes as processes of their own, and so many rooms of ten on the first. In each one player says
//! something so often a second, and all ten hear it. First all sit at the first node, then nine of each ten at the
//! second, by turns, three times; what is said is the median. Time is counted from when a line was to be said.

#![expect(clippy::print_stdout, reason = "a program for people to read")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parlor_client::protocol::{ChatMessage, Codec, EventType, ListRooms, PlayerName};
use parlor_client::{Client, Events, Options, new_room, seat_in};
use parlor_server::store::{Redis, RedisConfig};
use parlor_server::{ClusterConfig, Server, ServerConfig, runtime};
use parlor_testutil::games::{Ledger, Page};
use parlor_testutil::http::Ask;
use parlor_testutil::redis::RedisServer;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, redis, rooms_max] = &arguments[..]
        && serve == "serve"
    {
        return runtime()?.block_on(serve_on(redis, rooms_max.parse()?));
    }
    let number = |place: usize, default| {
        arguments.get(place).map_or(Ok(default), |number| number.parse::<u32>())
    };
    let (rooms, rate) = (number(0, 50)?, number(1, 2)?);
    runtime()?.block_on(measure(rooms, rate))
}

/// One node, until it is killed.
async fn serve_on(redis: &str, rooms_max: usize) -> Result<(), Failure> {
    let mut config = ServerConfig::default();
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.gateway.requests_per_second = 1_000_000;
    config.gateway.requests_burst = 1_000_000;
    config.gateway.rooms_max = rooms_max;
    let redis = Redis::new(&RedisConfig::new(redis))?;
    Server::new(config).game(Ledger).on_redis(&redis, ClusterConfig::default()).run().await?;
    Ok(())
}

struct Node {
    process: Child,
    address: SocketAddr,
}

impl Node {
    fn start(redis: &str, rooms_max: usize) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", redis, &rooms_max.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://").ok_or("no address")?;
        Ok(Self { process, address: address.parse()? })
    }

    fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// A figure from its metrics.
    async fn figure(&self, name: &str) -> Result<f64, Failure> {
        let text = Ask::get("/metrics").over(TcpStream::connect(self.address).await?).await.body;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.ok_or_else(|| format!("no {name}"))?.parse()?)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What one run has cost.
#[derive(Default)]
struct Cost {
    deliveries: u64,
    /// Processor seconds of the two nodes and of Redis.
    cpu: [f64; 3],
    bus_messages: f64,
    bus_deliveries: f64,
    /// In microseconds.
    times: Vec<u64>,
}

async fn measure(rooms: u32, rate: u32) -> Result<(), Failure> {
    let redis = RedisServer::start(&[]).await;
    // The second takes no rooms, or it would get its part of them.
    let nodes = [Node::start(&redis.url(), 100_000)?, Node::start(&redis.url(), 0)?];
    let acquainted = async {
        while nodes[1].figure("parlor_cluster_nodes").await.unwrap_or(0.0) < 1.0
            || nodes[0].figure("parlor_cluster_nodes").await.unwrap_or(0.0) < 1.0
        {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), acquainted).await?;
    operations(&redis, &nodes).await?;

    println!("{rooms} rooms of {SEATS}, {rate} lines a second in each, for {LASTS:?}");
    println!(
        "| | CPU a delivery, nodes | of it the room's node | Redis | p50 | p99 | deliveries a message |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let mut all: BTreeMap<&str, Vec<Cost>> = BTreeMap::new();
    for _ in 0..RUNS {
        for (name, way) in [("local", 0), ("relayed", 1)] {
            let cost = run(&redis, &nodes, way, rooms, rate).await?;
            all.entry(name).or_default().push(cost);
        }
    }
    for (name, costs) in &mut all {
        let us = |seconds: f64, cost: &Cost| seconds * 1e6 / cost.deliveries as f64;
        let of = |what: &dyn Fn(&Cost) -> f64| median(costs.iter().map(what).collect());
        let both = of(&|cost| us(cost.cpu[0] + cost.cpu[1], cost));
        let host = of(&|cost| us(cost.cpu[0], cost));
        let redis = of(&|cost| us(cost.cpu[2], cost));
        let [p50, p99] = [50, 99].map(|part| of(&|cost| percentile(&cost.times, part)));
        let packed = of(&|cost| cost.bus_deliveries / cost.bus_messages.max(1.0));
        println!(
            "| {name} | {both:.1} us | {host:.1} us | {redis:.2} us | {p50:.0} us | {p99:.0} us | {packed:.1} |"
        );
    }
    Ok(())
}

/// Commands that Redis runs for what players do, one after another.
async fn operations(redis: &RedisServer, nodes: &[Node; 2]) -> Result<(), Failure> {
    let mut room = new_room("ledger", name("Host")?);
    room.options = json!({"seats": 10}).as_object().cloned().unwrap_or_default();
    let (host, _events) = client(&nodes[0]).await?;
    let near = host.create_room::<Page>(&room).await?.room_id;
    let (guest, _more) = client(&nodes[0]).await?;
    let (far, _most) = client(&nodes[1]).await?;
    println!("| what | commands of Redis, without those by which nodes greet each other |");
    println!("| --- | --- |");
    let before = commands(redis);
    guest.join_room::<Page>(&seat_in(near, name("Guest")?)).await?;
    println!("| a join at the room's node | {} |", told(&before, &commands(redis)));
    let before = commands(redis);
    far.join_room::<Page>(&seat_in(near, name("Far")?)).await?;
    println!("| a join by another node | {} |", told(&before, &commands(redis)));
    let before = commands(redis);
    for _ in 0..ASKED {
        guest.chat("near").await?;
    }
    println!(
        "| {ASKED} actions at the room's node, heard by one elsewhere | {} |",
        told(&before, &commands(redis))
    );
    let before = commands(redis);
    for _ in 0..ASKED {
        far.chat("far").await?;
    }
    println!("| {ASKED} actions by another node | {} |", told(&before, &commands(redis)));
    let (looking, _rest) = client(&nodes[1]).await?;
    let before = commands(redis);
    for _ in 0..ASKED {
        looking.list_rooms(&ListRooms::default()).await?;
    }
    println!("| {ASKED} lists of rooms | {} |", told(&before, &commands(redis)));
    println!();
    Ok(())
}

/// How often each command was run.
fn commands(redis: &RedisServer) -> BTreeMap<String, u64> {
    let text = redis.ask(&["info", "commandstats"]);
    let line = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    };
    text.lines()
        .filter_map(line)
        .filter(|(name, _)| !OF_NO_PLAYER.contains(&name.as_str()))
        .collect()
}

fn told(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> String {
    let more = after.iter().filter_map(|(name, calls)| {
        let more = calls - before.get(name).copied().unwrap_or(0);
        (more > 0).then(|| format!("{more} {name}"))
    });
    let more: Vec<String> = more.collect();
    if more.is_empty() { "none".to_owned() } else { more.join(", ") }
}

async fn run(
    redis: &RedisServer,
    nodes: &[Node; 2],
    way: usize,
    rooms: u32,
    rate: u32,
) -> Result<Cost, Failure> {
    let mut tables = Vec::new();
    for number in 0..rooms {
        tables.push(sit_down(nodes, way, number).await?);
    }
    let before = figures(redis, nodes).await?;
    let began = Instant::now();
    let every = Duration::from_secs(1) / rate;
    let mut listening = JoinSet::new();
    let mut talking = JoinSet::new();
    for (number, table) in tables.into_iter().enumerate() {
        // Not all at the same moment.
        let offset = every * u32::try_from(number)? / rooms;
        let mut table = table.into_iter();
        // Who opened the room is at its node and only listens.
        let (quiet, heard) = table.next().ok_or("nobody")?;
        listening.spawn(listen(quiet, heard, began));
        for (place, (client, heard)) in table.enumerate() {
            if place == 0 {
                let speaker = Arc::new(client);
                talking.spawn(talk(Arc::clone(&speaker), began, offset, every));
                listening.spawn(listen(speaker, heard, began));
            } else {
                listening.spawn(listen(client, heard, began));
            }
        }
    }
    while let Some(talked) = talking.join_next().await {
        talked??;
    }
    sleep(Duration::from_millis(500)).await;
    let after = figures(redis, nodes).await?;
    let mut cost = Cost::default();
    gather(listening, &mut cost).await?;
    for place in 0..3 {
        cost.cpu[place] = after[place] - before[place];
    }
    cost.bus_messages = after[3] - before[3];
    cost.bus_deliveries = after[4] - before[4];
    Ok(cost)
}

/// Processor seconds of the nodes and of Redis, messages of the first node and what they carried.
async fn figures(redis: &RedisServer, nodes: &[Node; 2]) -> Result<[f64; 5], Failure> {
    let cpu = redis.ask(&["info", "cpu"]);
    let of = |name: &str| {
        let value = cpu.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.and_then(|value| value.trim().parse::<f64>().ok()).ok_or("no figure of Redis")
    };
    Ok([
        nodes[0].figure("process_cpu_seconds_total").await?,
        nodes[1].figure("process_cpu_seconds_total").await?,
        of("used_cpu_sys")? + of("used_cpu_user")?,
        nodes[0].figure("parlor_bus_messages_sent_total").await?,
        nodes[0].figure("parlor_relay_deliveries_total").await?,
    ])
}

/// A room on the first node: who opened it there, and nine who come by the node `way`.
async fn sit_down(
    nodes: &[Node; 2],
    way: usize,
    number: u32,
) -> Result<Vec<(Client, Events)>, Failure> {
    let mut room = new_room("ledger", name("Host")?);
    room.options = json!({"seats": SEATS}).as_object().cloned().unwrap_or_default();
    let (host, events) = client(&nodes[0]).await?;
    let code = host.create_room::<Page>(&room).await?.room_id;
    let mut table = vec![(host, events)];
    for seat in 1..SEATS {
        let (guest, events) = client(&nodes[way]).await?;
        guest.join_room::<Page>(&seat_in(code, name(&format!("Guest {number} {seat}"))?)).await?;
        table.push((guest, events));
    }
    Ok(table)
}

async fn client(node: &Node) -> Result<(Client, Events), Failure> {
    Ok(Client::connect(&node.url(), Options { codec: Codec::Json, ..Options::default() }).await?)
}

fn name(text: &str) -> Result<PlayerName, Failure> {
    Ok(PlayerName::parse(text)?)
}

/// Says when it was to be said.
async fn talk(
    client: Arc<Client>,
    began: Instant,
    offset: Duration,
    every: Duration,
) -> Result<(), Failure> {
    sleep(offset).await;
    let mut pace = interval(every);
    let mut due = began.elapsed();
    while began.elapsed() < LASTS {
        pace.tick().await;
        client.chat(due.as_micros().to_string()).await?;
        due = (due + every).max(began.elapsed().saturating_sub(every));
    }
    Ok(())
}

/// How long each line was on its way, until nothing more comes.
async fn listen<K: Send>(keep: K, mut heard: Events, began: Instant) -> Vec<u64> {
    let mut times = Vec::new();
    while let Ok(Ok(event)) = timeout(SILENCE, heard.next()).await {
        if event.kind == EventType::ChatMessage
            && let Ok(line) = event.data::<ChatMessage>()
            && let Ok(due) = line.text.parse::<u64>()
        {
            let now = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            times.push(now.saturating_sub(due));
        }
    }
    drop(keep);
    times
}

/// Gathers what all have heard.
async fn gather(mut listening: JoinSet<Vec<u64>>, cost: &mut Cost) -> Result<(), Failure> {
    while let Some(times) = listening.join_next().await {
        let times = times?;
        cost.deliveries += times.len() as u64;
        cost.times.extend(times);
    }
    cost.times.sort_unstable();
    Ok(())
}

fn percentile(times: &[u64], part: usize) -> f64 {
    times.get(times.len() * part / 100).copied().unwrap_or_default() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

const SEATS: usize = 10;
const RUNS: usize = 3;
const ASKED: usize = 100;
const LASTS: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(2);
/// What nodes do by themselves, and what this program asks.
const OF_NO_PLAYER: &[&str] = &[
    "info",
    "evalsha",
    "eval",
    "time",
    "zadd",
    "zrem",
    "zrangebyscore",
    "hget",
    "hset",
    "hgetall",
    "pexpire",
    "hello",
    "client|setinfo",
    "subscribe",
    "ping",
    "config|get",
];
