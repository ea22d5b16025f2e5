//! A server that runs out of file descriptors. Alone in its process, whose limit it lowers.

mod support;

use std::net::Ipv4Addr;

use parlor_server::{ServerConfig, Site, transport::Listening};
use support::{Client, Echoes, soon, text};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn server_without_descriptors_goes_on_once_it_has_some() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let site = Site::new(Echoes::default());
    let server = Listening::start(listener, site, ServerConfig::default()).unwrap();
    let mut before = soon(Client::open(server.address())).await;

    let mut waiting = TcpStream::connect(server.address());
    let (_, hard) = rlimit::Resource::NOFILE.get().unwrap();
    // The clients take every second descriptor, so that the last ones get no counterpart.
    rlimit::Resource::NOFILE.set(40, hard).unwrap();
    let mut clients = Vec::new();
    while let Ok(client) = waiting.await {
        clients.push(client);
        waiting = TcpStream::connect(server.address());
    }
    assert!(clients.len() > 3, "some descriptors were left");

    before.send(&text("still here")).await;
    soon(before.expect_text("still here")).await;
    clients.clear();
    let mut after = soon(Client::open(server.address())).await;
    after.send(&text("back again")).await;
    soon(after.expect_text("back again")).await;
}
