//! The real server as a process of its own, for tests from outside.
//!
//! [`Server`] starts the binary on a free port and knows where it listens. It ends when dropped,
//! also by a failing test. With `PARLOR_TEST_NODES=3` in the environment it is three of them on a Redis of their own,
//! behind a balancer.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;

use crate::nodes::{Processes, nodes_wanted};
use crate::seat::WAIT_MAX;

/// A running server.
#[derive(Debug)]
pub struct Server(Kind);

#[derive(Debug)]
enum Kind {
    One {
        process: Child,
        address: SocketAddr,
        /// Held, so that the server can go on writing to it.
        _output: BufReader<ChildStdout>,
    },
    Many(Processes),
}

impl Server {
    /// Starts `binary`, the value of `env!("CARGO_BIN_EXE_parlor")`, on a port that is free.
    ///
    /// # Panics
    ///
    /// When it does not start, or its first line does not say where it listens.
    pub fn start(binary: &str) -> Self {
        match nodes_wanted() {
            None => Self::alone(binary, &[]),
            Some(count) => Self(Kind::Many(Processes::start(binary, count))),
        }
    }

    /// The same with further arguments, and never more than one.
    pub(crate) fn alone(binary: &str, arguments: &[String]) -> Self {
        let mut process = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut output = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let address = listens_at(&mut output);
        Self(Kind::One { process, address, _output: output })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match &self.0 {
            Kind::One { address, .. } => *address,
            Kind::Many(nodes) => nodes.address(),
        }
    }

    /// The URL of a path of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }
}

impl Drop for Kind {
    fn drop(&mut self) {
        if let Self::One { process, .. } = self {
            // Both fail only when it has ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The program with arguments of one's own, nothing of the test's environment, and its log to be read.
///
/// Killed if the test does not see its end.
#[derive(Debug)]
pub struct Program {
    process: Child,
    address: SocketAddr,
    /// Held, so that the program can go on writing to it.
    _output: BufReader<ChildStdout>,
    /// The lines of its log, as they come.
    lines: Receiver<Value>,
    /// Those that were looked at.
    log: Vec<Value>,
}

impl Program {
    /// Starts `binary`, the value of `env!("CARGO_BIN_EXE_parlor")`, on a port that is free, with a log in JSON.
    ///
    /// # Panics
    ///
    /// When it does not start, or its first line does not say where it listens.
    pub fn start(binary: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new(binary)
            .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let errors = BufReader::new(process.stderr.take().expect("stderr is piped"));
        let (sender, lines) = channel();
        // Ends with the program.
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut output = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let address = listens_at(&mut output);
        Self { process, address, _output: output, lines, log: Vec::new() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of its sockets.
    pub fn socket_url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Sends it a signal, such as `-TERM`.
    ///
    /// # Panics
    ///
    /// When it cannot be sent.
    pub fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal can be sent");
    }

    /// Waits until it has logged something with these words.
    ///
    /// # Panics
    ///
    /// When it does not in time.
    pub fn until_logged(&mut self, words: &str) -> &Value {
        loop {
            let line = self.lines.recv_timeout(WAIT_MAX);
            self.log.push(line.unwrap_or_else(|_| panic!("it logged no {words:?}")));
            let line = &self.log[self.log.len() - 1];
            if line["fields"]["message"].as_str().is_some_and(|message| message.contains(words)) {
                return &self.log[self.log.len() - 1];
            }
        }
    }

    /// Waits for its end: its exit code, and all that it logged.
    ///
    /// # Panics
    ///
    /// When it cannot be waited for.
    pub fn end(mut self) -> (Option<i32>, Vec<Value>) {
        let mut log = std::mem::take(&mut self.log);
        log.extend(self.lines.iter());
        let status = self.process.wait().expect("the program can be waited for");
        (status.code(), log)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the first line says.
fn listens_at(output: &mut impl BufRead) -> SocketAddr {
    let mut line = String::new();
    output.read_line(&mut line).expect("stdout can be read");
    line.trim_end()
        .strip_prefix("listening on http://")
        .and_then(|address| address.parse().ok())
        .unwrap_or_else(|| panic!("the first line says where it listens: {line:?}"))
}
