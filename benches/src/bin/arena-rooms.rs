//! How many rooms of the arena one process keeps going: 30 steps a second in each, on the real clock.
//!
//! ```sh
//! cargo run --release -p parlor-bench --bin arena-rooms -- 1000 10
//! ```
//!
//! Opens so many rooms, in each of which a host and four bots run about, and lets them go for so many
//! seconds on the runtime that the program ships with. Each host's messages are taken out as its
//! socket's writer would. Says what that cost, how late steps were, and whether the states came when they
//! should.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parlor_bench::arena::Guest;
use parlor_core::PlayerId;
use parlor_games::Arena;
use parlor_gateway::{Gateway, GatewayConfig};
use parlor_protocol::Codec;
use serde_json::json;
use tokio::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rooms: usize = arguments.next().map_or(Ok(1000), |rooms| rooms.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(10), |seconds| seconds.parse())?;
    parlor_server::runtime()?.block_on(run(rooms, Duration::from_secs(seconds)))
}

async fn run(rooms: usize, duration: Duration) -> Result<(), Box<dyn Error>> {
    let gateway = Gateway::builder(GatewayConfig::default()).game(Arena).start();
    let sent = Arc::new(Sent::default());
    for number in 0..rooms {
        let host = open_room(&gateway, number).await;
        let sent = Arc::clone(&sent);
        let until = Instant::now() + FOREVER;
        tokio::spawn(host.run_about(PlayerId::FIRST, until, move |payload| sent.add(payload)));
    }

    // The rooms that were opened first have been going for a while: what is counted begins now.
    let (began, cpu_before, before) = (Instant::now(), cpu_time()?, sent.read());
    let ticks_before = gateway.ticks();
    tokio::time::sleep(duration).await;
    let (took, cpu, after) = (began.elapsed(), cpu_time()? - cpu_before, sent.read());

    let ticks = gateway.ticks().since(&ticks_before);

    let seconds = took.as_secs_f64();
    let rooms_seconds = seconds * rooms as f64;
    let mut out = std::io::stdout();
    writeln!(out, "{rooms} rooms of 4 bots and a host, for {seconds:.1} s")?;
    writeln!(
        out,
        "{:.2} cores, {:.1} µs of them for each room and step",
        cpu.as_secs_f64() / seconds,
        cpu.as_secs_f64() * 1e6 / (rooms_seconds * 30.0),
    )?;
    writeln!(
        out,
        "{:.2} messages a second to each host, {:.0} bytes",
        (after.messages - before.messages) as f64 / rooms_seconds,
        (after.bytes - before.bytes) as f64 / rooms_seconds,
    )?;
    let wanted = rooms_seconds * 30.0;
    writeln!(
        out,
        "{:.1} % of the steps that were due, {} let go",
        100.0 * ticks.taken as f64 / wanted,
        ticks.skipped,
    )?;
    for part in [0.5, 0.9, 0.99, 0.999] {
        match ticks.lateness_quantile(part) {
            Some(late) => writeln!(out, "{:.1} % within {late:?}", part * 100.0)?,
            None => writeln!(out, "{:.1} % within more than is counted", part * 100.0)?,
        }
    }
    writeln!(out, "{} rooms are still open", gateway.room_count())?;
    Ok(())
}

async fn open_room(gateway: &Arc<Gateway>, number: usize) -> Guest {
    let mut host = Guest::connect(gateway, Codec::Json);
    let name = format!("Host {number}");
    let data = json!({"gameType": "arena", "playerName": name, "options": {"roundSeconds": 600}});
    host.must("create_room", data).await;
    for _ in 0..4 {
        host.must("add_bot", json!({"level": "sprinter"})).await;
    }
    host.must("start_game", json!({})).await;
    host
}

/// What has been sent to all hosts.
#[derive(Default)]
struct Sent {
    messages: AtomicU64,
    bytes: AtomicU64,
}

#[derive(Clone, Copy)]
struct Read {
    messages: u64,
    bytes: u64,
}

impl Sent {
    fn add(&self, payload: &[u8]) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(payload.len() as u64, Ordering::Relaxed);
    }

    fn read(&self) -> Read {
        let [messages, bytes] =
            [&self.messages, &self.bytes].map(|count| count.load(Ordering::Relaxed));
        Read { messages, bytes }
    }
}

/// What this process has used of all cores.
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name, which may have spaces in it, in parentheses.
    let (_, fields) = stat.rsplit_once(") ").ok_or("no name in /proc/self/stat")?;
    let mut ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
    let mut next = || ticks.next().ok_or("too few fields in /proc/self/stat");
    let ticks = next()?? + next()??;
    Ok(Duration::from_millis(ticks * 1000 / CLOCK_TICKS_PER_SECOND))
}

/// Longer than any measurement.
const FOREVER: Duration = Duration::from_secs(3600);

/// The unit that Linux counts processor time in, on all machines of our day.
const CLOCK_TICKS_PER_SECOND: u64 = 100;
