//! Real games over sockets: at each table sit players for whom the game's own bots decide, from nothing but what
//! a client is sent, after the time that such a bot thinks.
//!
//! Where the other scenarios press as hard as they can, this one plays as people would, with the Rust client.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use parlor_client::protocol::{EventType, Phase as WirePhase, PlayerName, RoomCode};
use parlor_client::{Event, Happening, Options, Player, PlayerOptions, new_room, seat_in};
use parlor_core::rand::SeedableRng as _;
use parlor_core::{Game, GameRng, PlayerId};
use parlor_games::{Arena, Farkle, LiarsDice, TicTacToe};
use parlor_protocol::Codec;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::report::{Check, Figure, Percentiles, Usage};
use super::steady::{histogram, micros, percentiles};

/// A game in the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxedGame {
    /// Two players.
    TicTacToe,
    /// Four of up to six.
    Farkle,
    /// Four of up to six, and nobody sees the others' dice.
    LiarsDice,
    /// Eight of up to sixteen, thirty steps a second.
    Arena,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) players: usize,
    pub(super) finished: u64,
    pub(super) actions: u64,
    /// Refused because the state had moved on, as happens to people.
    pub(super) refused: u64,
    /// Anything else that went wrong.
    pub(super) errors: u64,
    /// What the first of them was.
    pub(super) first_error: Option<String>,
    /// From an action to its answer.
    pub(super) answer: Percentiles,
}

impl BoxedGame {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TicTacToe, Self::Farkle, Self::LiarsDice, Self::Arena];

    /// As the server calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TicTacToe => TicTacToe::GAME_TYPE,
            Self::Farkle => Farkle::GAME_TYPE,
            Self::LiarsDice => LiarsDice::GAME_TYPE,
            Self::Arena => Arena::GAME_TYPE,
        }
    }

    fn table_players(self) -> usize {
        match self {
            Self::TicTacToe => 2,
            Self::Farkle | Self::LiarsDice => 4,
            Self::Arena => 8,
        }
    }
}

/// Plays for so long, on this thread.
pub(super) fn play(
    game: BoxedGame,
    server: SocketAddr,
    codec: Codec,
    players: usize,
    duration: Duration,
) -> io::Result<Played> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let url = format!("ws://{server}/ws");
    Ok(runtime.block_on(async {
        match game {
            BoxedGame::TicTacToe => tables(TicTacToe, game, &url, codec, players, duration).await,
            BoxedGame::Farkle => tables(Farkle, game, &url, codec, players, duration).await,
            BoxedGame::LiarsDice => tables(LiarsDice, game, &url, codec, players, duration).await,
            BoxedGame::Arena => tables(Arena, game, &url, codec, players, duration).await,
        }
    }))
}

async fn tables<G: Game + Copy>(
    game: G,
    boxed: BoxedGame,
    url: &str,
    codec: Codec,
    players: usize,
    duration: Duration,
) -> Played {
    let seats = boxed.table_players();
    let tables = players.div_ceil(seats).max(1);
    let count = Arc::new(Count::default());
    let until = Instant::now() + duration;
    let mut tasks = Vec::new();
    for table in 0..tables {
        let (room, _) = watch::channel(None);
        for seat in 0..seats {
            let chair = Chair {
                game,
                url: url.to_owned(),
                codec,
                seats,
                number: table * seats + seat,
                is_host: seat == 0,
                room: room.clone(),
                until,
                count: Arc::clone(&count),
            };
            tasks.push(tokio::spawn(chair.sit()));
        }
    }
    for task in tasks {
        // A task that panics is an error like any other.
        let ended = match timeout(duration + ENDING_MAX, task).await {
            Ok(Ok(Ok(()))) => continue,
            Ok(Ok(Err(error))) => error,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "a player did not come to an end".to_owned(),
        };
        count.errors.fetch_add(1, Ordering::Relaxed);
        count.first_error.lock().get_or_insert(ended);
    }
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Played {
        players: tables * seats,
        finished: read(&count.finished),
        actions: read(&count.actions),
        refused: read(&count.refused),
        errors: read(&count.errors),
        first_error: count.first_error.lock().take(),
        answer: percentiles(&count.answers.lock()),
    }
}

impl Played {
    pub(super) fn figures(
        &self,
        name: &str,
        duration: Duration,
        usage: Option<Usage>,
    ) -> Vec<Figure> {
        let figure = |what: &str, value: f64, unit: &str| Figure {
            name: format!("{name}: {what}"),
            value,
            unit: unit.to_owned(),
        };
        let mut figures = vec![
            figure("players", self.players as f64, ""),
            figure("games played to the end", self.finished as f64, ""),
            figure("actions a second", self.actions as f64 / duration.as_secs_f64(), "1/s"),
            figure("actions refused, as the state had moved on", self.refused as f64, ""),
            figure("answer to an action, p50", self.answer.p50 as f64 / 1e3, "ms"),
            figure("answer to an action, p99", self.answer.p99 as f64 / 1e3, "ms"),
        ];
        if let Some(usage) = usage {
            let cores = usage.user_cores + usage.kernel_cores;
            figures.push(figure("cores", cores, ""));
            figures.push(figure(
                "players for each core",
                self.players as f64 / cores.max(1e-9),
                "",
            ));
        }
        figures
    }

    pub(super) fn check(&self, name: &str) -> Check {
        let found = match &self.first_error {
            None => format!("{} errors, {} actions", self.errors, self.actions),
            Some(error) => format!("{} errors, the first: {error}", self.errors),
        };
        Check {
            name: format!("{name}: everybody plays"),
            wanted: "no errors, and actions".to_owned(),
            found,
            passed: self.errors == 0 && self.actions > 0,
        }
    }
}

struct Count {
    finished: AtomicU64,
    actions: AtomicU64,
    refused: AtomicU64,
    errors: AtomicU64,
    first_error: Mutex<Option<String>>,
    answers: Mutex<Histogram<u64>>,
}

impl Default for Count {
    fn default() -> Self {
        Self {
            finished: AtomicU64::new(0),
            actions: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            first_error: Mutex::new(None),
            answers: Mutex::new(histogram()),
        }
    }
}

/// What of an event of somebody's coming matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Newcomer {
    player_id: u32,
}

/// One who plays.
struct Chair<G> {
    game: G,
    url: String,
    codec: Codec,
    seats: usize,
    number: usize,
    is_host: bool,
    /// The room's code, once the host has it.
    room: watch::Sender<Option<RoomCode>>,
    until: Instant,
    count: Arc<Count>,
}

impl<G: Game> Chair<G> {
    async fn sit(self) -> Result<(), String> {
        let name =
            PlayerName::parse(&format!("Player {}", self.number)).map_err(|e| e.to_string())?;
        let options = PlayerOptions {
            connection: Options { codec: self.codec, ..Options::default() },
            ..PlayerOptions::default()
        };
        let connected = if self.is_host {
            let mut room = new_room(G::GAME_TYPE, name);
            room.max_players = u16::try_from(self.seats).ok().map(Into::into);
            Player::connect(&self.url, room, options)
        } else {
            let mut code = self.room.subscribe();
            let code = *code.wait_for(Option::is_some).await.map_err(|e| e.to_string())?;
            Player::connect(&self.url, seat_in(code.expect("it was waited for"), name), options)
        };
        let (player, mut happenings) = connected.map_err(|error| error.to_string())?;
        let levels = self.game.about().bot_levels;
        let level = levels[self.number % levels.len()];
        let mind = self.game.bot(level).ok_or("the game has no such bot")?;
        let mut rng = GameRng::seed_from_u64(self.number as u64);

        let mut me = PlayerId(0);
        let mut view: Option<G::View> = None;
        let mut is_playing = false;
        let mut present = BTreeSet::new();
        let mut decide_at = None;
        while Instant::now() < self.until {
            // Both only wait: what has happened stays in its queue.
            let happening = tokio::select! {
                happening = happenings.next() => Some(happening.map_err(|ended| format!("{ended:?}"))?),
                () = sleep_until(decide_at.unwrap_or(self.until)) => None,
            };
            match happening {
                Some(Happening::Snapshot(joined)) => {
                    me = PlayerId(joined.player_id.0);
                    if self.is_host {
                        self.room.send_replace(Some(joined.room_id));
                    }
                    is_playing = joined.phase == WirePhase::Playing;
                    view = Some(joined.state);
                }
                Some(Happening::State(now)) => {
                    is_playing = now.phase == WirePhase::Playing;
                    view = Some(now.state);
                    if is_playing && decide_at.is_none() {
                        decide_at = Some(Instant::now() + mind.thinking_time());
                    }
                }
                Some(Happening::Event(event)) => {
                    self.heed(&event, &player, &mut present).await;
                }
                None => {
                    let action = view.as_ref().and_then(|view| mind.decide(view, me, &mut rng));
                    if let (Some(action), true) = (action, is_playing) {
                        self.act(&player, &action).await;
                    }
                    // Who is not sent a state, since nothing changed, thinks again all the same.
                    decide_at = is_playing.then(|| Instant::now() + mind.thinking_time());
                }
            }
        }
        player.close().await;
        Ok(())
    }

    /// The host lets games begin, and begin again.
    async fn heed(&self, event: &Event, player: &Player, present: &mut BTreeSet<u32>) {
        match event.kind {
            EventType::PlayerJoined => {
                present.extend(event.data::<Newcomer>().map(|newcomer| newcomer.player_id));
            }
            EventType::GameFinished if self.is_host => {
                self.count.finished.fetch_add(1, Ordering::Relaxed);
                // Refused when somebody has left meanwhile; then nothing begins.
                drop(player.rematch().await);
            }
            _ => return,
        }
        if self.is_host && present.len() >= self.seats {
            // Refused where a full table starts by itself.
            drop(player.start_game().await);
        }
    }

    async fn act(&self, player: &Player, action: &G::Action) {
        let asked = Instant::now();
        let answered = player.act(action).await;
        self.count.actions.fetch_add(1, Ordering::Relaxed);
        match answered {
            Ok(_) => self.count.answers.lock().saturating_record(micros(asked.elapsed())),
            Err(_) => drop(self.count.refused.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

/// How long players may take to end when it is time.
const ENDING_MAX: Duration = Duration::from_secs(10);
