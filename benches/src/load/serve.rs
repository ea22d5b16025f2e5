//! The server that the tool starts itself: the shipped one on the shipped runtime, with the load test's game
//! beside those in the box, and with its limits for clients out of the way.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use parlor_games::{Arena, Farkle, LiarsDice, TicTacToe};
use parlor_server::{Server, ServerConfig, StartError, runtime};

use super::echo::Echo;
use super::process::LISTENING;

/// Why it does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The system's.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server's.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Serves until the process ends.
pub fn run(listen: SocketAddr) -> Result<(), ServeError> {
    runtime()?.block_on(async {
        let mut config = ServerConfig::default();
        config.listen = listen;
        config.connections_max = usize::MAX;
        config.gateway.rooms_max = usize::MAX;
        config.gateway.requests_per_second = u32::MAX;
        config.gateway.requests_burst = u32::MAX;
        let server = Server::new(config);
        let server = server.game(Echo).game(TicTacToe).game(Farkle).game(LiarsDice).game(Arena);
        let running = server.start()?;
        let mut out = io::stdout();
        writeln!(out, "{LISTENING}{}", running.address())?;
        out.flush()?;
        // Ends with the process, which whoever started it ends.
        std::future::pending::<()>().await;
        drop(running);
        Ok(())
    })
}

/// What of a server's limits that does away with, for a report.
pub(super) const RAISED: &str =
    "the server was started by this tool with its limits on connections, rooms and requests raised";
