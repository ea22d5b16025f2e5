//! A server that runs out of file descriptors: in a process of its own, whose limit it lowers.

use std::{
    env,
    io::{self, Write},
    net::{Ipv4Addr, TcpStream},
    process::Command,
    sync::Mutex,
};

use parlor_server::{ServerConfig, Site, transport::Listening};
use tokio::{net::TcpListener, runtime::Builder};

use crate::support::{Client, Echoes, soon, text};

/// What the server has logged.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn has_logged(words: &str) -> bool {
    String::from_utf8_lossy(&LOG.lock().unwrap()).contains(words)
}

/// Runs itself once more, with a mark by which it knows that it is alone.
#[test]
fn server_without_descriptors_says_so_and_goes_on_once_it_has_some() {
    if env::var_os(ALONE).is_some() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run_out_of_descriptors());
        return;
    }
    let name = "descriptors::server_without_descriptors_says_so_and_goes_on_once_it_has_some";
    let alone = Command::new(env::current_exe().unwrap())
        .args(["--exact", name])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success() && said.contains("1 passed"), "{said}");
}

const ALONE: &str = "PARLOR_TEST_ALONE";

async fn run_out_of_descriptors() {
    tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log).init();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let site = Site::new(Echoes::default());
    let server = Listening::start(listener, site, ServerConfig::default()).unwrap();
    let mut before = soon(Client::open(server.address())).await;

    let (_, hard) = rlimit::Resource::NOFILE.get().unwrap();
    rlimit::Resource::NOFILE.set(40, hard).unwrap();
    // The server shares this thread and gets no turn before all descriptors are taken.
    let mut clients = Vec::new();
    while let Ok(client) = TcpStream::connect(server.address()) {
        clients.push(client);
    }
    assert!(!clients.is_empty(), "somebody waits to be accepted");

    soon(async {
        while !has_logged("cannot accept") {
            before.send(&text("still here")).await;
            before.expect_text("still here").await;
        }
    })
    .await;
    clients.clear();
    let mut after = soon(Client::open(server.address())).await;
    after.send(&text("back again")).await;
    soon(after.expect_text("back again")).await;
}
