//! Ten players at their game, and whether they have noticed anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parlor_client::protocol::{ChatMessage, Codec, EventType, RoomCode};
use parlor_client::{Client, Closed, Events, new_room, seat_in};
use parlor_server::ServerConfig;
use parlor_testutil::games::Counting;
use parlor_testutil::http::{Answered, Ask};
use parlor_testutil::seat::{WAIT_MAX, name};
use parlor_testutil::server::TestServer;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, interval, interval_at, timeout};
use tokio_util::sync::CancellationToken;

/// Runs a test as a server runs, on two threads and no more: what is measured does not wait for the test's own.
pub(crate) fn on_two_threads(test: impl Future<Output = ()> + Send + 'static) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).global_queue_interval(2).enable_all().build().unwrap();
    if let Err(error) = runtime.block_on(runtime.spawn(test)) {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// A server with ten players, who are at it until the evening ends.
pub(crate) struct Evening {
    pub(crate) server: TestServer,
    pub(crate) room: RoomCode,
    players: JoinSet<Player>,
    /// What can go on for any time is attempted until then.
    pub(crate) ends: Instant,
    over: CancellationToken,
    watch: Watch,
    /// What is measured on one machine is measured alone.
    _alone: MutexGuard<'static, ()>,
}

/// A player who has asked all it wanted.
struct Player {
    client: Client,
    /// When each request was due, and when it was answered.
    requests: Vec<(Instant, Instant)>,
    said: usize,
    /// Counts the players' lines.
    listening: JoinHandle<(usize, Closed)>,
}

impl Evening {
    pub(crate) async fn begin(configure: impl FnOnce(&mut ServerConfig)) -> Self {
        let alone = ALONE.lock().await;
        let mut config = ServerConfig::default();
        config.games_drain_time_max = Duration::ZERO;
        config.loopback_limited = true;
        configure(&mut config);
        let server = TestServer::with_config(config, |server| server.game(Counting));

        let (host, events) = server.connect_from(PLAYERS_HOST, Codec::Json).await;
        let mut room = new_room("counting", name("Player 0"));
        room.options = json!({"seats": 100}).as_object().unwrap().clone();
        let room = host.create_room::<Value>(&room).await.unwrap().room_id;
        let mut seated = vec![(host, events)];
        for number in 1..PLAYERS {
            let codec = Codec::ALL[number % 2];
            let (client, events) = server.connect_from(PLAYERS_HOST, codec).await;
            let seat = seat_in(room, name(&format!("Player {number}")));
            client.join_room::<Value>(&seat).await.unwrap();
            seated.push((client, events));
        }
        let over = CancellationToken::new();
        let mut players = JoinSet::new();
        for (number, (client, events)) in seated.into_iter().enumerate() {
            players.spawn(talk(number, client, events, over.clone()));
        }
        let ends = Instant::now() + EVENING;
        Self { server, room, players, ends, over, watch: Watch::start(), _alone: alone }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.ends
    }

    /// Asks from where the attackers are.
    pub(crate) async fn ask(&self, ask: Ask) -> Answered {
        ask.of(self.address()).await
    }

    /// Waits until everyone else is gone.
    pub(crate) async fn only_players_are_connected(&self) {
        self.connections_are(PLAYERS).await;
    }

    /// Waits until those are gone that are to go, and no others.
    pub(crate) async fn connections_are(&self, expected: usize) {
        let gone = async {
            let mut looks = interval(Duration::from_millis(5));
            while self.server.gateway().connection_count() > expected {
                looks.tick().await;
            }
        };
        timeout(WAIT_MAX, gone).await.expect("the others go in time");
        assert_eq!(self.server.gateway().connection_count(), expected);
    }

    /// Whatever was attempted has not kept the players from anything.
    pub(crate) async fn end(self, attack: &str) {
        let Self { server, players, over, watch, .. } = self;
        over.cancel();
        let players = players.join_all().await;
        let said: usize = players.iter().map(|player| player.said).sum();
        let mut requests = Vec::new();
        for player in players {
            // What was said before this was asked comes before it is answered.
            player.client.ping().await.expect("it is answered to the end");
            assert_eq!(player.client.closed(), None);
            drop(player.client);
            let (heard, closed) = player.listening.await.unwrap();
            assert_eq!(closed, Closed::ByClient);
            assert_eq!(heard, said, "everyone hears every line");
            requests.extend(player.requests);
        }
        let (newcomer, _events) = server.connect_from(PLAYERS_HOST, Codec::MsgPack).await;
        let room = new_room("counting", name("Newcomer"));
        newcomer.create_room::<Value>(&room).await.expect("others may come and play");

        let stalls = watch.stop();
        let asked = requests.len();
        requests.retain(|(due, answered)| {
            stalls.iter().all(|(began, ended)| answered < began || due > ended)
        });
        let left_out = asked - requests.len();
        if left_out > asked / LEFT_OUT_MAX {
            eprintln!("attack: {attack} | others: not measured, the machine has no time for it");
            return;
        }
        let mut times: Vec<_> = requests.into_iter().map(|(due, at)| at - due).collect();
        times.sort_unstable();
        let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        let longest = times[times.len() - 1];
        eprintln!(
            "attack: {attack} | others: {} requests ({left_out} left out), p50 {p50:.1?}, p99 {p99:.1?}, \
             longest {longest:.1?}",
            times.len()
        );
        assert!(p99 < P99_MAX, "the others waited for {p99:?} during {attack}");
    }
}

/// Asks and chats until the evening is over, and for some time at least.
async fn talk(
    number: usize,
    client: Client,
    mut events: Events,
    over: CancellationToken,
) -> Player {
    let listening = tokio::spawn(async move {
        let mut heard = 0;
        loop {
            match events.next().await {
                Ok(event) if event.kind == EventType::ChatMessage => {
                    let line: ChatMessage = event.data().unwrap();
                    heard += usize::from(line.text == LINE);
                }
                Ok(_) => {}
                Err(closed) => break (heard, closed),
            }
        }
    });
    let mut requests = Vec::new();
    let mut said = 0;
    let first = Instant::now() + PACE * u32::try_from(number).unwrap() / 10;
    let mut due = interval_at(first, PACE);
    while !over.is_cancelled() || requests.len() < REQUESTS_MIN {
        let due = due.tick().await;
        if requests.len() % 4 == 0 {
            client.chat(LINE).await.expect("a line is taken");
            said += 1;
        } else {
            client.ping().await.expect("a ping is answered");
        }
        requests.push((due, Instant::now()));
    }
    Player { client, requests, said, listening }
}

/// Finds out when the machine has no time for us: a thread that only sleeps is woken too late, or Linux says that
/// threads of ours could run and had no core. There are hardly more of them than cores, so it is not each other
/// that they wait for.
struct Watch {
    over: Arc<AtomicBool>,
    thread: thread::JoinHandle<Vec<Stall>>,
}

/// From when to when there was no time, and what was left to be done then had been done.
type Stall = (Instant, Instant);

impl Watch {
    fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        Self { over, thread: thread::spawn(move || watch(&is_over)) }
    }

    /// The times when it was so.
    fn stop(self) -> Vec<Stall> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("it only watches")
    }
}

fn watch(over: &AtomicBool) -> Vec<Stall> {
    let mut stalls = Vec::new();
    let mut waited = waited_for_a_core();
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        thread::sleep(LOOK_EVERY);
        let until_now = waited_for_a_core();
        let lasted = began.elapsed();
        if lasted > LOOK_EVERY + STALL_MIN || until_now.saturating_sub(waited) > STALL_MIN {
            stalls.push((began, began + lasted * 2));
        }
        waited = until_now;
    }
    stalls
}

/// For how long this process' threads could have run and did not, all together. Zero where nobody says.
fn waited_for_a_core() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        // It may have ended meanwhile.
        let figures = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        figures.split(' ').nth(1)?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

static ALONE: Mutex<()> = Mutex::const_new(());

pub(crate) const PLAYERS: usize = 10;
/// 127.0.0.2.
pub(crate) const PLAYERS_HOST: u8 = 2;
/// How often each player asks for something.
const PACE: Duration = Duration::from_millis(50);
/// Requests of each player, so that one in a hundred of all is some.
const REQUESTS_MIN: usize = 40;
const EVENING: Duration = Duration::from_secs(2);
/// How often it is looked whether the machine has time for us.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long we wait for a core meanwhile, when it is not for our own sake.
const STALL_MIN: Duration = Duration::from_millis(5);
/// Of so many requests one may be left out. On a machine with so little time, what is not left out waits as well.
const LEFT_OUT_MAX: usize = 4;
pub(crate) const LINE: &str = "good evening";
/// What the slowest of a hundred requests may take.
const P99_MAX: Duration = Duration::from_millis(if cfg!(debug_assertions) { 150 } else { 50 });
