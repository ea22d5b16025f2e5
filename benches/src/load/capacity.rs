//! What the tool can be asked for, and the report that it makes of it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use parlor_protocol::Codec;

use super::crowd::{CrowdError, Seating};
use super::echo::ROOM_PLAYERS_MAX;
use super::foreign::Foreign;
use super::games::BoxedGame;
use super::objective::Objective;
use super::process::Reading;
use super::report::{Check, Figure, Plan, Report, Series, Step};
use super::steady::{Pace, climb, codec_name, measure};
use super::storms::{bystanders, cut_and_return, join};
use super::target::Target;
use super::{Crowd, foreign, games, mixed, process, serve};

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Rooms in which everybody acts and all of the room are told.
    Rooms,
    /// One room, in which one acts and all are told.
    BigRoom,
    /// Players who sit in rooms and do nothing.
    Idle,
    /// Everybody comes at once.
    JoinStorm,
    /// All connections are cut at once.
    ReconnectStorm,
    /// A game in the box, or each of them in turn, played by its bots over sockets.
    Game(Option<BoxedGame>),
    /// Everything together for a long time: rooms under load, people who come and go, real games.
    Mixed,
    /// The first targets ever set for such a server, each with its figure.
    Baseline,
}

/// How to do it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The scenario.
    pub scenario: Scenario,
    /// Somebody's server; `None` starts one.
    pub server: Option<SocketAddr>,
    /// The codecs to measure with, one after another.
    pub codecs: Vec<Codec>,
    /// Connections.
    pub players: usize,
    /// Players in each room.
    pub room_players: usize,
    /// Actions of each player a second. `None` looks for the highest rate that keeps the objective.
    pub rate: Option<f64>,
    /// What has to be kept.
    pub objective: Objective,
    /// Time before counting begins.
    pub warm_up: Duration,
    /// Time that is counted, at each rate.
    pub duration: Duration,
    /// Whether to measure the bare hub in turn with the server.
    pub with_hub: bool,
    /// Whether to let the server have one core and the generator another.
    pub pinned: bool,
}

/// Hears how a run goes.
pub trait Progress {
    /// Something begins.
    fn begins(&mut self, what: &str);
    /// A step has been made.
    fn step(&mut self, target: &str, step: &Step);
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum CapacityError {
    /// The system's.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Players found no seats.
    #[error(transparent)]
    Crowd(#[from] CrowdError),
    /// Two cores are needed to keep server and generator apart.
    #[error("--pinned needs two cores")]
    OneCore,
    /// A room holds only so many.
    #[error("a room of this tool's game holds 2 to {ROOM_PLAYERS_MAX} players")]
    RoomPlayers,
    /// Only a server that this tool has started can be looked into.
    #[error(
        "this scenario looks at the server's process, which only works with a server that this tool starts"
    )]
    NeedsOwnServer,
}

impl Scenario {
    /// As it is asked for.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rooms => "rooms",
            Self::BigRoom => "big-room",
            Self::Idle => "idle",
            Self::JoinStorm => "join-storm",
            Self::ReconnectStorm => "reconnect-storm",
            Self::Game(_) => "game",
            Self::Mixed => "mixed",
            Self::Baseline => "baseline",
        }
    }
}

/// Does it all.
pub fn run(settings: &Settings, progress: &mut dyn Progress) -> Result<Report, CapacityError> {
    if !(2..=usize::from(ROOM_PLAYERS_MAX)).contains(&settings.room_players) {
        return Err(CapacityError::RoomPlayers);
    }
    let machine = process::machine();
    if settings.pinned {
        if machine.cores < 2 {
            return Err(CapacityError::OneCore);
        }
        process::pin_self(GENERATOR_CORE)?;
    }
    let began_at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        began_at: began_at.as_secs(),
        machine,
        scenario: settings.scenario.name().to_owned(),
        settings: settings.as_told(),
        series: Vec::new(),
        checks: Vec::new(),
        figures: Vec::new(),
        plan: None,
        notes: Vec::new(),
    };
    // Each client is a socket, and the default of many systems is a thousand.
    if let Ok(files) = rlimit::increase_nofile_limit(u64::MAX)
        && files < settings.players as u64 + FILES_OWN
    {
        report.notes.push(format!("this process may open only {files} files: fewer players fit"));
    }
    if settings.server.is_none() {
        report.notes.push(serve::RAISED.to_owned());
    }
    let foreign = settings.server.map(foreign::look).transpose()?;
    if let Some(foreign) = &foreign {
        let by = if foreign.voice.is_chat { "chat" } else { "actions" };
        report.notes.push(format!(
            "players speak by {by} in rooms of {}, at most {} times a second each; more players are added where \
             that is not enough",
            foreign.voice.game_type, foreign.requests_per_second,
        ));
        if foreign.room_players_max < settings.room_players {
            report.notes.push(format!("that game's rooms hold only {}", foreign.room_players_max));
        }
    }
    let mut run = Run { settings, foreign, report, progress };
    match settings.scenario {
        Scenario::Rooms => run.steady(settings.room_players, false)?,
        Scenario::BigRoom => run.steady(settings.players, true)?,
        Scenario::Idle => run.idle()?,
        Scenario::JoinStorm => run.join_storm()?,
        Scenario::ReconnectStorm => run.reconnect_storm()?,
        Scenario::Game(game) => run.games(game)?,
        Scenario::Mixed => run.mixed()?,
        Scenario::Baseline => run.baseline()?,
    }
    Ok(run.report)
}

struct Run<'a> {
    settings: &'a Settings,
    /// Of a server that this tool has not started.
    foreign: Option<Foreign>,
    report: Report,
    progress: &'a mut dyn Progress,
}

impl Run<'_> {
    fn steady(&mut self, room_players: usize, one_sender: bool) -> Result<(), CapacityError> {
        for codec in self.settings.codecs.clone() {
            let mut series = Vec::new();
            if self.settings.with_hub {
                series.push(self.series(&self.hub()?, codec, room_players, one_sender)?);
            }
            series.push(self.series(&self.server()?, codec, room_players, one_sender)?);
            self.report.series.extend(series);
        }
        for series in &self.report.series {
            if series.target != SERVER {
                continue;
            }
            let step = series.best().or_else(|| series.steps.last());
            let name =
                |check: Check| Check { name: format!("{}: {}", series.codec, check.name), ..check };
            let checks = step.map(|step| self.settings.objective.check(step)).unwrap_or_default();
            self.report.checks.extend(checks.into_iter().map(name));
        }
        self.report.plan = self.report.series.iter().find_map(|series| plan(series, one_sender));
        Ok(())
    }

    fn series(
        &mut self,
        target: &Target,
        codec: Codec,
        room_players: usize,
        one_sender: bool,
    ) -> Result<Series, CapacityError> {
        let settings = self.settings;
        let seating = self.seating(target, codec, settings.players, room_players);
        self.progress.begins(&format!("{}, {}", target.name, codec_name(codec)));
        let senders =
            if one_sender { settings.players.div_ceil(room_players) } else { settings.players };
        let pace = |actions_per_second| Pace {
            actions_per_second,
            warm_up: settings.warm_up,
            duration: settings.duration,
            one_sender,
        };
        let told = &mut |step: &Step| self.progress.step(target.name, step);
        if let Some(rate) = settings.rate {
            let mut crowd = Crowd::seat(seating)?;
            crowd.settle()?;
            let pace = pace(rate * senders as f64);
            let step = measure(&mut crowd, &pace, target.process(), &settings.objective)?;
            told(&step);
            let held =
                (step.verdict == super::report::Verdict::Held).then_some(step.wanted_per_second);
            return Ok(Series {
                target: target.name.to_owned(),
                codec: codec_name(codec).to_owned(),
                steps: vec![step],
                held,
            });
        }
        let first = pace(FIRST_DELIVERIES / room_players as f64);
        let allowed = self.foreign.as_ref().map(|foreign| foreign.requests_per_second);
        Ok(climb(target, seating, first, &settings.objective, allowed, told)?)
    }

    fn idle(&mut self) -> Result<(), CapacityError> {
        for codec in self.settings.codecs.clone() {
            let server = self.own_server()?;
            self.progress.begins(&format!("idle players, {}", codec_name(codec)));
            let seating =
                self.seating(&server, codec, self.settings.players, self.settings.room_players);
            let (_crowd, joined) = join(&server, seating)?;
            self.report.figures.extend(joined.figures(codec_name(codec)));
        }
        Ok(())
    }

    fn join_storm(&mut self) -> Result<(), CapacityError> {
        for codec in self.settings.codecs.clone() {
            let rooms = self.settings.room_players;
            let one = usize::from(ROOM_PLAYERS_MAX).min(self.settings.players);
            let storms = [(self.settings.players, rooms, "rooms"), (one, one, "one room")];
            for (players, room_players, what) in storms {
                let name = format!("{} into {what}", codec_name(codec));
                self.progress.begins(&name);
                let server = self.server()?;
                let mut seating = self.seating(&server, codec, players, room_players);
                seating.joining_max = STORM_JOINING;
                let (_crowd, joined) = join(&server, seating)?;
                self.report.figures.extend(joined.figures(&name));
            }
        }
        Ok(())
    }

    fn reconnect_storm(&mut self) -> Result<(), CapacityError> {
        for codec in self.settings.codecs.clone() {
            let name = codec_name(codec);
            self.progress.begins(&format!("all connections are cut, {name}"));
            let server = self.server()?;
            let mut seating =
                self.seating(&server, codec, self.settings.players, self.settings.room_players);
            seating.joining_max = STORM_JOINING;
            let mut crowd = Crowd::seat(seating)?;
            let others = self.seating(&server, codec, BYSTANDERS, self.settings.room_players);
            let storm = || {
                let returned = cut_and_return(&mut crowd);
                returned.map(|returned| (returned, crowd))
            };
            let (storm, step) = bystanders(others, &self.settings.objective, STORM_WATCHED, storm)?;
            let (returned, _crowd) = storm?;
            let figure = |what: &str, value: f64, unit: &str| Figure {
                name: format!("{name}: {what}"),
                value,
                unit: unit.to_owned(),
            };
            self.report.figures.extend([
                figure("players", self.settings.players as f64, ""),
                figure("all back after", returned.took.as_secs_f64(), "s"),
                figure("returns by replay", returned.replayed as f64, ""),
                figure("returns by snapshot", returned.snapshots as f64, ""),
                figure("returns refused", returned.refused as f64, ""),
                figure("connections that broke again", returned.broken as f64, ""),
                figure("answer to a return, p50", returned.answer.p50 as f64 / 1e3, "ms"),
                figure("answer to a return, p99", returned.answer.p99 as f64 / 1e3, "ms"),
                figure("others' latency meanwhile, p99", step.latency.p99 as f64 / 1e3, "ms"),
                figure("others' latency meanwhile, max", step.latency.max as f64 / 1e3, "ms"),
            ]);
            let back = returned.replayed + returned.snapshots;
            self.report.checks.push(Check {
                name: format!("{name}: all come back to their seats"),
                wanted: self.settings.players.to_string(),
                found: back.to_string(),
                passed: back == self.settings.players,
            });
            self.report.checks.extend(self.settings.objective.check(&step).into_iter().map(
                |check| Check {
                    name: format!("{name}, others meanwhile: {}", check.name),
                    ..check
                },
            ));
        }
        Ok(())
    }

    fn games(&mut self, game: Option<BoxedGame>) -> Result<(), CapacityError> {
        let games = game.map_or_else(|| BoxedGame::ALL.to_vec(), |game| vec![game]);
        for codec in self.settings.codecs.clone() {
            for game in &games {
                let name = format!("{}, {}", game.name(), codec_name(codec));
                self.progress.begins(&name);
                let server = self.server()?;
                let process = server.process();
                let reading = process.map(Reading::take).transpose()?;
                let (players, duration) = (self.settings.players, self.settings.duration);
                let played = games::play(*game, server.address, codec, players, duration)?;
                let usage = match (process, reading) {
                    (Some(process), Some(reading)) => Some(reading.usage_since(process)?),
                    _ => None,
                };
                self.report.figures.extend(played.figures(&name, duration, usage));
                self.report.checks.push(played.check(&name));
            }
        }
        Ok(())
    }

    fn mixed(&mut self) -> Result<(), CapacityError> {
        let server = self.own_server()?;
        let process = server.process().ok_or(CapacityError::NeedsOwnServer)?;
        let codec = self.settings.codecs.first().copied().unwrap_or(Codec::Json);
        let settings = self.settings;
        let rooms = self.seating(&server, codec, settings.players, settings.room_players);
        let pace = Pace {
            actions_per_second: settings.players as f64 * settings.rate.unwrap_or(MIXED_RATE),
            warm_up: settings.warm_up,
            duration: settings.duration,
            one_sender: false,
        };
        self.progress.begins("rooms, people who come and go, and real games");
        let mixed = mixed::run(rooms, &pace, process, &settings.objective)?;
        self.progress.step(SERVER, &mixed.step);
        self.report.figures.extend(mixed.figures());
        self.report.checks.extend(mixed.checks(&settings.objective));
        self.report.series.push(Series {
            target: SERVER.to_owned(),
            codec: codec_name(codec).to_owned(),
            steps: vec![mixed.step],
            held: None,
        });
        Ok(())
    }

    fn baseline(&mut self) -> Result<(), CapacityError> {
        let server = self.own_server()?;
        let process = server.process().ok_or(CapacityError::NeedsOwnServer)?;
        let codec = Codec::Json;
        let mut series = Series {
            target: SERVER.to_owned(),
            codec: codec_name(codec).to_owned(),
            steps: Vec::new(),
            held: None,
        };
        for (players, actions, seconds) in BASELINE {
            self.progress.begins(&format!("{players} players, {actions} messages a second"));
            let mut crowd = Crowd::seat(self.seating(&server, codec, players, 10))?;
            crowd.settle()?;
            let pace = Pace {
                actions_per_second: actions,
                warm_up: self.settings.warm_up,
                duration: Duration::from_secs(seconds),
                one_sender: false,
            };
            let step = measure(&mut crowd, &pace, Some(process), &self.settings.objective)?;
            self.progress.step(SERVER, &step);
            let memory = step.usage.map_or(u64::MAX, |usage| usage.memory_bytes);
            let sent = step.sent as f64 / step.seconds;
            let part = step.delivered as f64 / step.expected.max(1) as f64;
            let at = |what: &str| format!("{players} players: {what}");
            let check = |name, wanted: String, found, passed| Check { name, wanted, found, passed };
            self.report.checks.extend([
                check(
                    at("connections"),
                    players.to_string(),
                    crowd.fleet.open().to_string(),
                    crowd.fleet.open() == players,
                ),
                check(
                    at("messages a second"),
                    format!("{actions}"),
                    format!("{sent:.0}"),
                    sent >= actions * 0.99,
                ),
                check(
                    at("memory"),
                    "under 2 GB".into(),
                    format!("{:.0} MB", memory as f64 / 1e6),
                    memory < 2_000_000_000,
                ),
                check(
                    at("delivered"),
                    "at least 99.9 %".into(),
                    format!("{:.3} %", part * 100.0),
                    part >= 0.999,
                ),
            ]);
            let latency = self.settings.objective.check(&step);
            self.report
                .checks
                .extend(latency.into_iter().map(|check| Check { name: at(&check.name), ..check }));
            series.steps.push(step);
        }
        self.report.series.push(series);
        Ok(())
    }

    fn seating(
        &self,
        target: &Target,
        codec: Codec,
        players: usize,
        room_players: usize,
    ) -> Seating {
        let room_players_max =
            self.foreign.as_ref().map_or(usize::MAX, |foreign| foreign.room_players_max);
        Seating {
            server: target.address,
            codec,
            voice: self.foreign.as_ref().map(|foreign| foreign.voice.clone()).unwrap_or_default(),
            has_seats: target.has_seats,
            players,
            room_players: room_players.min(players).min(room_players_max),
            joining_max: JOINING,
        }
    }

    fn server(&self) -> io::Result<Target> {
        match self.settings.server {
            Some(address) => Ok(Target::elsewhere(address)),
            None => Target::server(self.cores()),
        }
    }

    fn own_server(&self) -> Result<Target, CapacityError> {
        match self.settings.server {
            Some(_) => Err(CapacityError::NeedsOwnServer),
            None => Ok(self.server()?),
        }
    }

    fn hub(&self) -> io::Result<Target> {
        Target::hub(self.cores())
    }

    fn cores(&self) -> Option<&'static str> {
        self.settings.pinned.then_some(SERVER_CORE)
    }
}

impl Settings {
    fn as_told(&self) -> Vec<(String, String)> {
        let codecs: Vec<&str> = self.codecs.iter().map(|codec| codec_name(*codec)).collect();
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let server = self
            .server
            .map_or_else(|| "started by this tool".to_owned(), |server| server.to_string());
        let rate = self
            .rate
            .map_or_else(|| "rising".to_owned(), |rate| format!("{rate} actions a second each"));
        vec![
            pair("server", server),
            pair("players", self.players.to_string()),
            pair("players in a room", self.room_players.to_string()),
            pair("rate", rate),
            pair("codec", codecs.join(", ")),
            pair("seconds counted", self.duration.as_secs_f64().to_string()),
            pair(
                "cores",
                if self.pinned { "one for the server, one for the generator" } else { "shared" }
                    .to_owned(),
            ),
        ]
    }
}

/// What the best step says of a machine.
fn plan(series: &Series, one_sender: bool) -> Option<Plan> {
    let step = series.best()?;
    let usage = step.usage.filter(|_| series.target == SERVER && !one_sender)?;
    let cores = usage.user_cores + usage.kernel_cores;
    let players = step.players as f64;
    let limit = if cores > 0.9 {
        "the processor: the server used all of a core at the highest rate that held"
    } else if step.generator_cores > 0.9 {
        "this tool's generator, which used all of its core: the server holds more"
    } else {
        "latency, before the processor was used up"
    };
    Some(Plan {
        actions_per_player: step.sent as f64 / step.seconds / players,
        room_players: step.players / step.rooms.max(1),
        players_per_core: players / cores.max(f64::EPSILON),
        bytes_per_1000_players: usage.memory_bytes as f64 / players * 1000.0,
        bytes_per_player_second: step.bytes_per_second / players,
        limit: limit.to_owned(),
    })
}

const SERVER: &str = "server";
const SERVER_CORE: &str = "0";
const GENERATOR_CORE: &str = "1";
/// Actions of each player a second in the mixture, unless it is said.
const MIXED_RATE: f64 = 6.0;
/// Deliveries a second at which the search for the highest rate begins.
const FIRST_DELIVERIES: f64 = 60_000.0;
/// Clients on their way to their seats at a time.
const JOINING: usize = 64;
const STORM_JOINING: usize = 256;
/// Players who look on while others come back.
const BYSTANDERS: usize = 100;
const STORM_WATCHED: Duration = Duration::from_secs(4);
const FILES_OWN: u64 = 64;
/// Players, messages a second over all of them, and seconds.
const BASELINE: [(usize, f64, u64); 2] = [(1000, 10_000.0, 60), (10_000, 1000.0, 30)];
