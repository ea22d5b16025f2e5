//! The `parlor` program: a game server with the games in the box.
//!
//! Settings come from flags, else from the environment, else from their defaults, and are read
//! in full before anything is opened.

use std::{
    io::{self, ErrorKind, IsTerminal},
    net::SocketAddr,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use parlor_games::{Arena, Farkle, LiarsDice, TicTacToe};
use parlor_server::{Origin, Server, ServerConfig, StartError, runtime};
use tracing_subscriber::EnvFilter;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A server for multiplayer games: open it in a browser, share a link, play.
#[derive(Parser)]
#[command(name = "parlor", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server. This is what happens without a command.
    Serve(Serve),
}

#[derive(Args)]
struct Serve {
    /// Where to listen. Port 0 takes any free port; 0.0.0.0 lets other machines in.
    #[arg(
        long,
        env = "PARLOR_LISTEN",
        hide_env_values = true,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080"
    )]
    listen: SocketAddr,

    /// Sites whose pages may connect, beside the server's own, separated by commas.
    #[arg(
        long,
        env = "PARLOR_ALLOWED_ORIGINS",
        hide_env_values = true,
        value_name = "https://SITE",
        value_delimiter = ','
    )]
    allowed_origins: Vec<Origin>,

    /// Clients at a time. One more is told to come back later.
    #[arg(long, env = "PARLOR_CONNECTIONS_MAX", hide_env_values = true, value_name = "NUMBER", default_value_t = ServerConfig::default().connections_max)]
    connections_max: usize,

    /// Rooms at a time.
    #[arg(long, env = "PARLOR_ROOMS_MAX", hide_env_values = true, value_name = "NUMBER", default_value_t = ServerConfig::default().gateway.rooms_max)]
    rooms_max: usize,

    /// What to log on standard error: error, warn, info, debug, or more finely, as in
    /// info,parlor_server=debug.
    #[arg(
        long,
        env = "PARLOR_LOG",
        hide_env_values = true,
        value_name = "FILTER",
        default_value = "info"
    )]
    log: String,

    /// How to log it.
    #[arg(
        long,
        env = "PARLOR_LOG_FORMAT",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "text"
    )]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let serve = match cli.command {
        Some(Command::Serve(serve)) => serve,
        None => cli.serve,
    };
    match run(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("parlor: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(serve: Serve) -> Result<(), String> {
    start_log(&serve.log, serve.log_format)?;

    let mut config = ServerConfig::default();
    config.listen = serve.listen;
    config.allowed_origins = serve.allowed_origins;
    config.connections_max = serve.connections_max;
    config.gateway.rooms_max = serve.rooms_max;

    let server = Server::new(config).game(TicTacToe).game(Farkle).game(LiarsDice).game(Arena);
    let runtime = runtime().map_err(|error| format!("cannot start threads: {error}"))?;
    runtime.block_on(server.run()).map_err(|error| match advice(&error) {
        Some(advice) => format!("{error}\n{advice}"),
        None => error.to_string(),
    })
}

fn start_log(filter: &str, format: LogFormat) -> Result<(), String> {
    let filter = EnvFilter::builder()
        .parse(filter)
        .map_err(|error| format!("cannot read the log filter {filter:?}: {error}"))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
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
