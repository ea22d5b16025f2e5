//! The real server as a process of its own, for tests from outside.
//!
//! [`Server`] starts the binary on a free port and knows where it listens. It ends when dropped,
//! also by a failing test.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running server.
#[derive(Debug)]
pub struct Server {
    process: Child,
    address: SocketAddr,
    /// Held, so that the server can go on writing to it.
    _output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts `binary`, the value of `env!("CARGO_BIN_EXE_parlor")`, on a port that is free.
    ///
    /// # Panics
    ///
    /// When it does not start, or its first line does not say where it listens.
    pub fn start(binary: &str) -> Self {
        let mut process = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut output = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("stdout can be read");
        let address = line
            .trim_end()
            .strip_prefix("listening on http://")
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("the first line says where it listens: {line:?}"));
        Self { process, address, _output: output }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
