//! Who is measured.

use std::io;
use std::net::SocketAddr;

use super::process::Served;

/// A server, or what it is compared with.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    /// Whether it knows rooms and seats.
    pub(super) has_seats: bool,
    /// When this tool has started it.
    process: Option<Served>,
}

impl Target {
    /// The shipped server, in a process of its own.
    pub(super) fn server(cores: Option<&str>) -> io::Result<Self> {
        let process = Served::start(&["serve", "--listen", ANY_PORT], cores)?;
        Ok(Self {
            name: "server",
            address: process.address(),
            has_seats: true,
            process: Some(process),
        })
    }

    /// The bare hub, in a process of its own.
    pub(super) fn hub(cores: Option<&str>) -> io::Result<Self> {
        let process = Served::start(&["hub", "--listen", ANY_PORT], cores)?;
        let address = process.address();
        Ok(Self { name: "bare hub", address, has_seats: false, process: Some(process) })
    }

    /// Somebody's server.
    pub(super) fn elsewhere(address: SocketAddr) -> Self {
        Self { name: "server", address, has_seats: true, process: None }
    }

    /// The process to look at, if it can be seen.
    pub(super) fn process(&self) -> Option<u32> {
        self.process.as_ref().map(Served::id)
    }
}

const ANY_PORT: &str = "127.0.0.1:0";
