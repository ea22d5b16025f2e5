//! Players whose connections break all the time, anywhere, and who must not notice.
//!
//! Every connection is cut, reset, stalled or half open within 1 to 3 s, at any byte of either direction,
//! from the first handshake on. Players enter numbers into a ledger meanwhile, which counts what reaches it.
//! In the end the books of the game, of each player and of the server must agree. One half of the rooms are
//! sent states, the other half patches; what the players see must be whole in all of them.
//!
//! It prints its seed, which decides what befalls each connection; what meets there, the clock decides.
//! `PARLOR_CHAOS_SEED`, `PARLOR_CHAOS_RUNS` (seeds, counting up), `PARLOR_CHAOS_PLAYERS` and `PARLOR_CHAOS_SECONDS`
//! change a run.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use parlor_client::protocol::{Codec, EventType, Joined, ListRooms, PlayerId, Resumed, RoomCode};
use parlor_client::{
    Happening, Happenings, Options, Player, PlayerOptions, RequestError, WayIn, new_room, seat_in,
};
use parlor_core::GameRng;
use parlor_core::rand::{RngExt as _, SeedableRng as _};
use parlor_server::ServerConfig;
use parlor_testutil::fault_proxy::{FaultProxy, Faults};
use parlor_testutil::games::{Entry, Ledger, Page, Told};
use parlor_testutil::seat::{WAIT_MAX, name};
use parlor_testutil::server::TestServer;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn players_whose_connections_break_all_the_time_lose_nothing_and_do_nothing_twice() {
    let players = setting("PLAYERS", 20_usize);
    let load_time = Duration::from_secs(setting("SECONDS", 8));
    let first_seed = setting("SEED", RandomState::new().hash_one(0) >> 16);
    for seed in (first_seed..).take(setting("RUNS", 1)) {
        eprintln!("PARLOR_CHAOS_SEED={seed} PARLOR_CHAOS_PLAYERS={players}: {load_time:?}");
        let total = run(seed, players, load_time).await;
        eprintln!("{total:?}");
    }
}

/// What a run, or a room of it, amounted to.
#[derive(Debug, Default)]
struct Total {
    /// Numbers that were entered.
    entries: u64,
    /// Of those, how many their players never heard an answer to.
    unanswered: u64,
    /// Connections that were broken.
    broken: u64,
    /// Tries to come back.
    attempts: u64,
    /// Times that a player was given the whole room instead of what it had missed.
    snapshots: u64,
    /// Entries that such a snapshot stood for.
    skipped: u64,
}

async fn run(seed: u64, players: usize, load_time: Duration) -> Total {
    let mut config = ServerConfig::default();
    // So that what looks whole from the server's side is found out within the run.
    config.gateway.heartbeat = Duration::from_secs(1);
    let server = Arc::new(TestServer::with_config(config, |server| server.game(Ledger)));

    let rooms = players.div_ceil(ROOM_SEATS);
    let mut playing = JoinSet::new();
    for room in 0..rooms {
        let seats = ROOM_SEATS.min(players - room * ROOM_SEATS);
        let seed = seed.wrapping_mul(1000) + room as u64;
        let patches = room % 2 == 0;
        playing.spawn(play_room(Arc::clone(&server), seed, seats, patches, load_time));
    }
    let mut total = Total::default();
    let mut codes = BTreeSet::new();
    while let Some(played) = playing.join_next().await {
        let (code, room) = played.expect("the room was played to the end");
        codes.insert(code);
        total.entries += room.entries;
        total.unanswered += room.unanswered;
        total.broken += room.broken;
        total.attempts += room.attempts;
        total.snapshots += room.snapshots;
        total.skipped += room.skipped;
    }

    let (client, _events) = server.connect(Codec::Json).await;
    let all = ListRooms { limit: Some(200), ..ListRooms::default() };
    let listed = client.list_rooms(&all).await.unwrap().rooms;
    let listed: BTreeSet<RoomCode> = listed.iter().map(|room| room.room_id).collect();
    assert_eq!(listed, codes, "each room was opened once");
    assert!(total.snapshots < total.attempts, "some came back without a snapshot: {total:?}");
    total
}

/// Plays in one room from the first seat to the audit.
async fn play_room(
    server: Arc<TestServer>,
    seed: u64,
    seats: usize,
    patches: bool,
    load_time: Duration,
) -> (RoomCode, Total) {
    let mut room = new_room("ledger", name("P0"));
    room.options = json!({"seats": ROOM_SEATS, "patches": patches}).as_object().unwrap().clone();
    let host = Gambler::sit_down(&server, seed, 0, room).await;
    soon(host.player.start_game()).await.unwrap();
    let code = host.room;

    let mut joining = JoinSet::new();
    for number in 1..seats {
        let server = Arc::clone(&server);
        let seat = seat_in(code, name(&format!("P{number}")));
        joining.spawn(async move { Gambler::sit_down(&server, seed, number, seat).await });
    }
    let mut gamblers = vec![host];
    gamblers.extend(joining.join_all().await);

    let mut playing = JoinSet::new();
    let until = Instant::now() + load_time;
    for gambler in gamblers {
        playing.spawn(gambler.play(until));
    }
    let gamblers = playing.join_all().await;
    for gambler in &gamblers {
        assert!(gambler.proxy.broken() > 0, "{} was never disturbed", gambler.who);
        gambler.proxy.heal();
    }

    // All that was asked is answered, so this is all there will be.
    let page: Page = soon(gamblers[0].player.state()).await.unwrap().state;
    let mut total = Total { entries: page.entries, ..Total::default() };
    let mut ids = BTreeSet::new();
    let mut applied = 0;
    for mut gambler in gamblers {
        gambler.witness_until(page.entries).await;
        applied += gambler.audit().await;
        total.unanswered += gambler.unanswered.len() as u64;
        total.broken += gambler.proxy.broken();
        total.snapshots += gambler.witness.snapshots;
        total.skipped += gambler.witness.skipped;
        total.attempts += gambler.player.session().expect("it has a seat").attempt;
        assert!(ids.insert(gambler.witness.me), "{} has a seat of its own", gambler.who);
        gambler.check_roster(&server, seats).await;
    }
    assert_eq!(applied, page.entries, "the numbers of all players are all the entries");
    (code, total)
}

/// A player with a bad connection, and the numbers it has entered.
struct Gambler {
    who: String,
    room: RoomCode,
    player: Arc<Player>,
    happenings: Happenings<Page>,
    witness: Witness,
    proxy: FaultProxy,
    rng: GameRng,
    answered: BTreeSet<u64>,
    unanswered: BTreeSet<u64>,
}

impl Gambler {
    async fn sit_down(
        server: &TestServer,
        seed: u64,
        number: usize,
        way_in: impl Into<WayIn>,
    ) -> Self {
        let seed = seed.wrapping_mul(1000) + number as u64;
        let proxy = FaultProxy::to(server.address(), Faults::seeded(seed)).await;
        let codec = Codec::ALL[number % Codec::ALL.len()];
        let options = PlayerOptions {
            connection: Options { codec, ..impatient() },
            wait_min: Duration::from_millis(20),
            wait_max: Duration::from_millis(300),
            ..PlayerOptions::default()
        };
        let (player, mut happenings) =
            Player::connect(&proxy.socket_url(), way_in, options).expect("it is an address");
        let first = soon(happenings.next()).await.expect("there is a seat");
        let Happening::Snapshot(joined) = first else { panic!("{first:?}") };
        let who = format!("player {} of room {} (seed {seed})", joined.player_id, joined.room_id);
        Self {
            who: who.clone(),
            room: joined.room_id,
            player: Arc::new(player),
            happenings,
            witness: Witness::new(who, &joined),
            proxy,
            rng: GameRng::seed_from_u64(seed),
            answered: BTreeSet::new(),
            unanswered: BTreeSet::new(),
        }
    }

    /// Enters numbers, several at a time, until then; and until all are decided.
    async fn play(mut self, until: Instant) -> Self {
        let mut last = 0;
        while Instant::now() < until {
            let mut entering = JoinSet::new();
            for _ in 0..self.rng.random_range(1..=ENTRIES_AT_ONCE_MAX) {
                last += 1;
                // Some players do not wait for what they have asked.
                let patience = if self.rng.random_ratio(1, 10) {
                    Duration::from_millis(self.rng.random_range(0..20))
                } else {
                    WAIT_MAX
                };
                entering.spawn(enter(Arc::clone(&self.player), last, patience));
            }
            while let Some(entered) = self.watch(entering.join_next()).await {
                let (number, answered) = entered.expect("nobody cancels it");
                match answered {
                    Some(outcome) => {
                        outcome.unwrap_or_else(|error| {
                            panic!("{}: number {number}: {error}", self.who)
                        });
                        self.answered.insert(number);
                    }
                    None => drop(self.unanswered.insert(number)),
                }
            }
            let pause = Duration::from_millis(self.rng.random_range(0..200));
            self.watch(sleep(pause)).await;
        }
        // Requests are decided in order, so this is decided after all of them.
        let player = Arc::clone(&self.player);
        let state = async move { player.state::<Page>().await };
        self.watch(state).await.unwrap_or_else(|error| panic!("{}: {error}", self.who));
        self
    }

    /// Does something, looking at what happens meanwhile.
    async fn watch<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = std::pin::pin!(timeout(WAIT_MAX, what));
        loop {
            // Losing the race loses nothing: what happens is taken or not.
            tokio::select! {
                done = &mut what => {
                    return done.unwrap_or_else(|_| panic!("{}: it takes too long", self.who));
                }
                happening = self.happenings.next() => match happening {
                    Ok(happening) => self.witness.see(happening),
                    Err(ended) => panic!("{}: {ended}", self.who),
                },
            }
        }
    }

    /// Looks on until it has heard of this entry.
    async fn witness_until(&mut self, entry: u64) {
        while self.witness.entries < entry {
            let happening = soon(self.happenings.next()).await;
            self.witness.see(happening.unwrap_or_else(|ended| panic!("{}: {ended}", self.who)));
        }
        assert_eq!(self.witness.entries, entry, "{}: no more than there are", self.who);
    }

    /// Compares its numbers with the ledger's, and says how many there are.
    async fn audit(&mut self) -> u64 {
        let player = Arc::clone(&self.player);
        let counts = loop {
            let player = Arc::clone(&player);
            let asked = async move { player.act(&Entry::Audit {}).await };
            self.watch(asked).await.unwrap_or_else(|error| panic!("{}: {error}", self.who));
            // A snapshot may stand for the answer; then it is asked again.
            let snapshots = self.witness.snapshots;
            while self.witness.audited.is_none() && self.witness.snapshots == snapshots {
                let happening = soon(self.happenings.next()).await;
                self.witness.see(happening.unwrap_or_else(|ended| panic!("{}: {ended}", self.who)));
            }
            if let Some(counts) = self.witness.audited.take() {
                break counts;
            }
        };
        let counts: BTreeMap<u64, u32> = counts.into_iter().collect();
        for (number, times) in &counts {
            assert_eq!(*times, 1, "{}: number {number} was entered {times} times", self.who);
            let asked = self.answered.contains(number) || self.unanswered.contains(number);
            assert!(asked, "{}: number {number} was never asked for", self.who);
        }
        for number in &self.answered {
            assert!(counts.contains_key(number), "{}: {number} was acknowledged", self.who);
        }
        counts.len() as u64
    }

    /// Everyone is there, and nobody else.
    async fn check_roster(&self, server: &TestServer, seats: usize) {
        let mut session = self.player.session().expect("it has a seat");
        // It asks for the whole room by knowing none of its history.
        session.epoch.clear();
        let (client, _events) = server.connect(Codec::Json).await;
        let resumed = client.reconnect::<Page>(&mut session).await.unwrap();
        let Resumed::Snapshot(joined) = resumed else { panic!("{resumed:?}") };
        assert_eq!(joined.players.len(), seats, "{}: {:?}", self.who, joined.players);
    }
}

/// Enters a number, with the player's patience. `None` when that has run out.
async fn enter(
    player: Arc<Player>,
    number: u64,
    patience: Duration,
) -> (u64, Option<Result<(), RequestError>>) {
    let entry = Entry::Enter { number };
    let outcome = timeout(patience, player.act(&entry)).await;
    (number, outcome.ok().map(|outcome| outcome.map(drop)))
}

/// Checks that what a player is told is one story without a gap.
struct Witness {
    who: String,
    me: PlayerId,
    /// The room's number at the last happening.
    seq: u64,
    /// The version of the last state.
    version: u64,
    /// The running number of the last entry.
    entries: u64,
    /// The player's own entry that the next event of the game must be a receipt for.
    owed: Option<(u64, u64)>,
    own: BTreeSet<u64>,
    audited: Option<Vec<(u64, u32)>>,
    snapshots: u64,
    skipped: u64,
}

impl Witness {
    fn new(who: String, joined: &Joined<Page>) -> Self {
        Self {
            who,
            me: joined.player_id,
            seq: joined.seq,
            version: joined.version,
            entries: joined.state.entries,
            owed: None,
            own: BTreeSet::new(),
            audited: None,
            snapshots: 0,
            skipped: 0,
        }
    }

    #[track_caller]
    fn see(&mut self, happening: Happening<Page>) {
        let event = match happening {
            Happening::Snapshot(joined) => {
                let Self { who, .. } = &self;
                assert_eq!(joined.player_id, self.me, "{who} is who it was");
                assert!(joined.seq >= self.seq, "{who}: back from {} to {}", self.seq, joined.seq);
                let entries = joined.state.entries;
                assert!(entries >= self.entries, "{who}: back from {} to {entries}", self.entries);
                assert!(joined.state.is_whole(), "{who}: {:?}", joined.state);
                self.snapshots += 1;
                self.skipped += entries - self.entries;
                self.owed = None;
                (self.seq, self.version, self.entries) = (joined.seq, joined.version, entries);
                return;
            }
            Happening::State(now) => {
                let Self { who, .. } = &self;
                assert!(now.seq >= self.seq, "{who}: back from {} to {}", self.seq, now.seq);
                assert!(now.version >= self.version, "{who}: back from version {}", self.version);
                assert_eq!(now.state.entries, self.entries, "{who}: a state at its place");
                assert!(now.state.is_whole(), "{who}: {:?}", now.state);
                (self.seq, self.version) = (now.seq, now.version);
                return;
            }
            Happening::Event(event) => event,
        };
        let Some(seq) = event.seq else { return };
        assert!(seq > self.seq, "{}: number {seq} after {}", self.who, self.seq);
        self.seq = seq;
        if event.kind == EventType::GameEvent {
            self.hear(&event.data().expect("it is the game's event"));
        }
    }

    #[track_caller]
    fn hear(&mut self, told: &Told) {
        let Self { who, me, entries, owed, own, .. } = self;
        match *told {
            Told::Entered { entry, by, number } => {
                assert_eq!(entry, *entries + 1, "{who}: the next entry");
                assert_eq!(*owed, None, "{who}: a receipt comes first");
                *entries = entry;
                if by.0 == me.0 {
                    *owed = Some((entry, number));
                    assert!(own.insert(number), "{who}: {number} was entered twice");
                }
            }
            Told::Receipt { entry, number } => {
                assert_eq!(owed.take(), Some((entry, number)), "{who}: the receipt");
            }
            Told::Audited { ref counts } => self.audited = Some(counts.clone()),
        }
    }
}

/// A client that takes a connection for lost sooner than people's clients do.
fn impatient() -> Options {
    Options {
        connect_time_max: Duration::from_secs(3),
        request_time_max: Duration::from_secs(3),
        ..Options::default()
    }
}

#[track_caller]
fn soon<T>(what: impl Future<Output = T>) -> impl Future<Output = T> {
    let at = std::panic::Location::caller();
    async move {
        let done = timeout(WAIT_MAX, what).await;
        done.unwrap_or_else(|_| panic!("it takes too long, asked at {at}"))
    }
}

fn setting<T: FromStr>(name: &str, default: T) -> T {
    let name = format!("PARLOR_CHAOS_{name}");
    let Ok(text) = std::env::var(&name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name}={text} makes no sense"))
}

const ROOM_SEATS: usize = 10;
const ENTRIES_AT_ONCE_MAX: usize = 4;
