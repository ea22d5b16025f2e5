//! HAProxy in front of several servers, each connection to the next: nobody comes back to where it was.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::seat::WAIT_MAX;

/// A running balancer. Ends when dropped.
#[derive(Debug)]
pub struct Balancer {
    process: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Balancer {
    /// Starts one on a free port, which asks each server twice a second whether it is alive.
    ///
    /// # Panics
    ///
    /// When it does not listen in time.
    pub fn before(servers: &[SocketAddr]) -> Self {
        let directory = TempDir::new().expect("a directory can be made");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let mut config = format!(
            "global\n maxconn 4000\n\
             defaults\n mode http\n timeout connect 2s\n timeout client 60s\n timeout server 60s\n timeout tunnel 120s\n \
             option redispatch 1\n retries 3\n\
             frontend players\n bind {address}\n default_backend nodes\n\
             backend nodes\n balance roundrobin\n option httpchk GET /health/live\n http-reuse never\n \
             default-server check inter 500ms fall 2 rise 1\n"
        );
        for (number, server) in servers.iter().enumerate() {
            writeln!(config, " server node{number} {server}").expect("text can be written");
        }
        let file = directory.path().join("haproxy.cfg");
        std::fs::write(&file, config).expect("a file can be written");
        // Debian keeps it where not everybody looks.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let process = Command::new("haproxy")
            .env("PATH", path)
            .args(["-db", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("haproxy is there: scripts/setup installs it");
        let balancer = Self { process, address, _directory: directory };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < WAIT_MAX, "haproxy listens");
            sleep(Duration::from_millis(10));
        }
        balancer
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
