//! The load tool: what a server holds, and what the next player will cost.
//!
//! ```sh
//! cargo run --release -p parlor-bench -- capacity
//! ```

use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use parlor_bench::load::capacity::{self, Progress, Scenario, Settings};
use parlor_bench::load::report::{self, Step};
use parlor_bench::load::{BoxedGame, Objective, hub, serve};
use parlor_protocol::Codec;
use url::Url;

/// The allocator of the shipped server: what is measured here is that one.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures what a Parlor server holds.
#[derive(Parser)]
#[command(name = "parlor-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure a server, by default one that is started for it on this machine.
    Capacity(Box<Capacity>),
    /// Run the server that `capacity` starts: the games in the box and the load test's, with its limits raised.
    Serve(Listen),
    /// Run the bare hub that `capacity` compares with.
    Hub(Listen),
}

#[derive(Args)]
struct Listen {
    /// Where to listen. Port 0 takes any free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[derive(Args)]
struct Capacity {
    /// What to do.
    #[arg(long, value_enum, default_value_t = ScenarioName::Rooms)]
    scenario: ScenarioName,
    /// The server to measure, such as ws://127.0.0.1:8080. By default one is started.
    #[arg(long, value_name = "ws://HOST:PORT")]
    url: Option<Url>,
    /// Players. By default as fits the scenario.
    #[arg(long, value_name = "NUMBER")]
    players: Option<usize>,
    /// With `--scenario game`: which one. By default each in turn.
    #[arg(long, value_enum)]
    game: Option<GameName>,
    /// Players in each room.
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    room_players: usize,
    /// Actions of each player a second. By default rates rise until the objective breaks.
    #[arg(long, value_name = "NUMBER")]
    rate: Option<f64>,
    /// What has to be kept; the exit code says whether it was.
    #[arg(long, alias = "objective", value_name = "OBJECTIVE", default_value = "p99<50ms,loss=0")]
    slo: Objective,
    /// Which encoding to speak.
    #[arg(long, value_enum, default_value_t = CodecName::Json)]
    codec: CodecName,
    /// Seconds that are counted, at each rate.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    seconds: f64,
    /// Seconds before counting begins.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    warm_up: f64,
    /// Measure the bare hub as well, which says what the machine allows.
    #[arg(long)]
    hub: bool,
    /// Give the server one core and the generator another.
    #[arg(long)]
    pinned: bool,
    /// Write the report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as one page with charts.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ScenarioName {
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
    /// Games in the box, played by their bots over sockets.
    Game,
    /// Everything together, for as long as you like: rooms under load, people who come and go, games.
    Mixed,
    /// 1000 players with 10 000 messages a second, then 10 000 players.
    Baseline,
}

#[derive(Clone, Copy, ValueEnum)]
enum GameName {
    Tictactoe,
    Farkle,
    LiarsDice,
    Arena,
}

#[derive(Clone, Copy, ValueEnum)]
enum CodecName {
    Json,
    Msgpack,
    Both,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Capacity(capacity) => capacity.run(),
        Command::Serve(Listen { listen }) => serve::run(listen).map(|()| true).map_err(Into::into),
        Command::Hub(Listen { listen }) => hub::run(listen).map(|()| true).map_err(Into::into),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(MISSED),
        Err(error) => {
            let _unheard = writeln!(io::stderr(), "parlor-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Capacity {
    /// Whether the objective was kept.
    fn run(&self) -> Result<bool, Box<dyn Error>> {
        let mut terminal = Terminal::new()?;
        let report = capacity::run(&self.settings()?, &mut terminal)?;
        terminal.bar.finish_and_clear();
        let json = serde_json::to_string_pretty(&report)?;
        io::stdout().write_all(report::table(&report).as_bytes())?;
        if let Some(path) = &self.json {
            write(path, &json)?;
        }
        if let Some(path) = &self.html {
            write(path, &report::page(&report))?;
        }
        Ok(report.checks.iter().all(|check| check.passed))
    }

    fn settings(&self) -> Result<Settings, Box<dyn Error>> {
        let scenario = self.scenario.scenario(self.game);
        Ok(Settings {
            scenario,
            server: self.url.as_ref().map(address).transpose()?,
            codecs: self.codec.codecs(),
            players: self.players.unwrap_or_else(|| self.scenario.players()),
            room_players: self.room_players,
            rate: self.rate,
            objective: self.slo.clone(),
            warm_up: Duration::try_from_secs_f64(self.warm_up)?,
            duration: Duration::try_from_secs_f64(self.seconds)?,
            with_hub: self.hub,
            pinned: self.pinned,
        })
    }
}

impl GameName {
    fn boxed(self) -> BoxedGame {
        match self {
            Self::Tictactoe => BoxedGame::TicTacToe,
            Self::Farkle => BoxedGame::Farkle,
            Self::LiarsDice => BoxedGame::LiarsDice,
            Self::Arena => BoxedGame::Arena,
        }
    }
}

impl ScenarioName {
    fn scenario(self, game: Option<GameName>) -> Scenario {
        match self {
            Self::Rooms => Scenario::Rooms,
            Self::BigRoom => Scenario::BigRoom,
            Self::Idle => Scenario::Idle,
            Self::JoinStorm => Scenario::JoinStorm,
            Self::ReconnectStorm => Scenario::ReconnectStorm,
            Self::Game => Scenario::Game(game.map(GameName::boxed)),
            Self::Mixed => Scenario::Mixed,
            Self::Baseline => Scenario::Baseline,
        }
    }

    fn players(self) -> usize {
        match self {
            Self::Rooms | Self::BigRoom | Self::Mixed => 1000,
            Self::Game => 200,
            Self::Idle => 9000,
            Self::JoinStorm | Self::ReconnectStorm => 5000,
            Self::Baseline => 10_000,
        }
    }
}

impl CodecName {
    fn codecs(self) -> Vec<Codec> {
        match self {
            Self::Json => vec![Codec::Json],
            Self::Msgpack => vec![Codec::MsgPack],
            Self::Both => vec![Codec::Json, Codec::MsgPack],
        }
    }
}

/// Says how it goes, with a bar that leaves no trace.
struct Terminal {
    bar: ProgressBar,
}

impl Terminal {
    fn new() -> Result<Self, Box<dyn Error>> {
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template("{elapsed_precise} {spinner} {wide_msg}")?);
        bar.enable_steady_tick(Duration::from_millis(200));
        Ok(Self { bar })
    }
}

impl Progress for Terminal {
    fn begins(&mut self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    fn step(&mut self, target: &str, step: &Step) {
        let line = format!(
            "{target}: {:.0} deliveries a second wanted, {:.0} came, p99 {:.2} ms, {} lost: {}",
            step.wanted_per_second,
            step.delivered_per_second,
            step.latency.p99 as f64 / 1e3,
            step.lost(),
            step.verdict,
        );
        if self.bar.is_hidden() {
            let _unheard = writeln!(io::stderr(), "{line}");
        } else {
            self.bar.println(line);
        }
    }
}

/// Where a `ws://` address leads.
fn address(url: &Url) -> Result<SocketAddr, Box<dyn Error>> {
    if url.scheme() != "ws" {
        return Err("expected a ws:// address".into());
    }
    let addresses = url.socket_addrs(|| Some(80))?;
    addresses.first().copied().ok_or_else(|| format!("{url} leads nowhere").into())
}

fn write(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// What the program ends with when the objective was missed.
const MISSED: u8 = 2;
