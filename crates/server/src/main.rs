//! The `parlor` program: a game server with the games in the box.

#[cfg_attr(not(feature = "redis"), path = "nodes/absent.rs")]
mod nodes;
mod settings;
#[cfg_attr(not(feature = "otlp"), path = "telemetry/absent.rs")]
mod telemetry;

use std::{
    env,
    io::{self, ErrorKind, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, Parser, Subcommand};
use parlor_games::{Arena, Farkle, LiarsDice, TicTacToe};
use parlor_server::{Jwt, Server, StartError, Stopped, runtime};
use tracing::{error, warn};
use tracing_subscriber::{
    EnvFilter, Registry,
    layer::SubscriberExt as _,
    reload::{self, Handle},
    util::SubscriberInitExt as _,
};

use self::{
    nodes::Nodes,
    settings::{Given, LogFormat, Read},
    telemetry::Telemetry,
};

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A server for multiplayer games: open it in a browser, share a link, play.
///
/// Every setting can be given as a flag, as PARLOR_ and its name in the environment, or in a file; a flag goes
/// before the environment, that before the file.
#[derive(Parser)]
#[command(name = "parlor", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    told: Told,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server. This is what happens without a command.
    Serve(Told),
    /// Show what holds and who said so, without starting anything.
    Config {
        /// Show the JSON Schema of a settings file instead.
        #[arg(long)]
        schema: bool,
        #[command(flatten)]
        told: Told,
    },
}

#[derive(Args)]
struct Told {
    /// A file of settings, in TOML; else the one that PARLOR_CONFIG names. Read again at SIGHUP.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Given,
}

impl Told {
    fn read(&self) -> Result<Read, String> {
        let named = || env::var_os("PARLOR_CONFIG").map(PathBuf::from);
        let file = self.config.clone().or_else(named);
        settings::read(self.flags.clone(), file.as_deref()).map_err(|error| error.to_string())
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Serve(told)) => serve(&told),
        Some(Command::Config { schema: true, .. }) => show(&schema()).map(|()| ExitCode::SUCCESS),
        Some(Command::Config { schema: false, told }) => {
            let checked = told.read().and_then(|read| check(&read).map(|_| read));
            checked.and_then(|read| show(&effective(&read))).map(|()| ExitCode::SUCCESS)
        }
        None => serve(&cli.told),
    };
    done.unwrap_or_else(|message| {
        eprintln!("parlor: {message}");
        ExitCode::FAILURE
    })
}

fn serve(told: &Told) -> Result<ExitCode, String> {
    let read = told.read()?;
    let Checked { filter, jwt, nodes } = check(&read)?;
    let Log { filter: log, telemetry } = start_log(filter, &read)?;

    for warning in read.settings.warnings() {
        warn!("{warning}");
    }

    let jwt = jwt.map(Arc::new);
    let config = read.settings.config();
    let mut server = Server::new(config).game(TicTacToe).game(Farkle).game(LiarsDice).game(Arena);
    if let Some(jwt) = &jwt {
        server = server.authenticator(Arc::clone(jwt));
    }
    let runtime = runtime().map_err(|error| format!("cannot start threads: {error}"))?;
    if let Some(nodes) = nodes {
        let _inside = runtime.enter();
        server = nodes.join(server)?;
    }
    let reload = || match read_again(told, &read, jwt.as_deref(), &log) {
        Ok(again) => Some(again.settings.config()),
        Err(error) => {
            error!(error, "settings stay as they were");
            None
        }
    };
    let stopped =
        runtime.block_on(server.run_reloading(reload)).map_err(|error| match advice(&error) {
            Some(advice) => format!("{error}\n{advice}"),
            None => error.to_string(),
        })?;
    if let Some(telemetry) = telemetry {
        telemetry.shut_down();
    }
    Ok(exit_code(&stopped))
}

/// What settings lead to that may turn out to be of no use.
struct Checked {
    filter: EnvFilter,
    jwt: Option<Jwt>,
    nodes: Option<Nodes>,
}

/// Whether a server could be started with these settings, but for the addresses.
fn check(read: &Read) -> Result<Checked, String> {
    let filter = filter(&read.settings.log)?;
    if let Some(tls) = &read.settings.config().tls {
        tls.check().map_err(|error| error.to_string())?;
    }
    let jwt = read.settings.authenticator().map_err(|error| error.to_string())?;
    let nodes = Nodes::of(&read.settings)?;
    Ok(Checked { filter, jwt, nodes })
}

/// What the settings are now. Those that cannot change while the server runs are named, and stay.
fn read_again(
    told: &Told,
    at_start: &Read,
    jwt: Option<&Jwt>,
    log: &Handle<EnvFilter, Registry>,
) -> Result<Read, String> {
    let again = told.read()?;
    // All of it, before any of it holds.
    let Checked { filter, jwt: _, nodes: _ } = check(&again)?;
    if let Some(jwt) = jwt {
        jwt.read_again().map_err(|error| error.to_string())?;
    }
    log.reload(filter).map_err(|error| error.to_string())?;
    for setting in again.settings.wait_for_a_start(&at_start.settings) {
        warn!(setting, "cannot change while the server runs: start it again");
    }
    Ok(again)
}

/// 0 when nothing was lost, 3 when games that were being played were, 4 when it was told to stop twice.
fn exit_code(stopped: &Stopped) -> ExitCode {
    match stopped {
        Stopped { at_once: true, .. } => ExitCode::from(4),
        Stopped { games_cut: 1.., .. } => ExitCode::from(3),
        Stopped { games_cut: 0, .. } => ExitCode::SUCCESS,
    }
}

fn schema() -> String {
    let schema = settings::schema();
    serde_json::to_string_pretty(schema.as_value()).expect("a schema is JSON")
}

fn effective(read: &Read) -> String {
    read.effective.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn show(text: &str) -> Result<(), String> {
    writeln!(io::stdout(), "{text}").map_err(|error| error.to_string())
}

fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder()
        .parse(text)
        .map_err(|error| format!("cannot read the log filter {text:?}: {error}"))
}

/// The log at work.
struct Log {
    filter: Handle<EnvFilter, Registry>,
    telemetry: Option<Telemetry>,
}

fn start_log(filter: EnvFilter, read: &Read) -> Result<Log, String> {
    let (filter, handle) = reload::Layer::new(filter);
    let (telemetry, spans) = match &read.settings.otlp_endpoint.0 {
        Some(endpoint) => {
            let telemetry = Telemetry::to(endpoint)
                .map_err(|error| format!("cannot send spans to {endpoint}: {error}"))?;
            let layer = telemetry.layer();
            (Some(telemetry), Some(layer))
        }
        None => (None, None),
    };
    let log = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter).with(spans);
    match read.settings.log_format {
        LogFormat::Text => registry.with(log).init(),
        LogFormat::Json => registry.with(log.json()).init(),
    }
    Ok(Log { filter: handle, telemetry })
}

/// What to do about it.
fn advice(error: &StartError) -> Option<&'static str> {
    let StartError::Listen { source, .. } = error else { return None };
    match source.kind() {
        ErrorKind::AddrInUse => Some(
            "Another program listens there, perhaps another parlor. Stop it, or choose another \
             port: parlor --listen 127.0.0.1:8081",
        ),
        ErrorKind::PermissionDenied => Some(
            "Ports below 1024 need special rights. Choose a higher one: \
             parlor --listen 127.0.0.1:8080",
        ),
        ErrorKind::AddrNotAvailable => Some(
            "This machine has no such address. To let other machines in, listen on all: \
             parlor --listen 0.0.0.0:8080",
        ),
        _ => None,
    }
}
