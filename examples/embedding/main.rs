//! A game server inside a program that has routes of its own.
//!
//! The game server has its port, with its pages and sockets; the program has another, and looks
//! into the rooms from there. In front of both one would put the reverse proxy that is there anyway.
//!
//! Run it with `cargo run -p parlor-examples --bin embedding`. Ctrl-C stops both.

#![expect(clippy::print_stdout, reason = "a program for people to watch")]

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use parlor_games::TicTacToe;
use parlor_gateway::Gateway;
use parlor_server::{Server, ServerConfig, runtime};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    runtime()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = ServerConfig::default();
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let games = Server::new(config).game(TicTacToe).start()?;
    let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("games on http://{}", games.address());
    println!("status on http://{}/status", own.local_addr()?);

    tokio::select! {
        // Losing the race drops the listener and every connection, which is what stopping means here.
        failed = serve(own, games.gateway()) => failed?,
        pressed = tokio::signal::ctrl_c() => pressed?,
    }
    // Players are told to come back later; their seats are held for the game's grace period.
    games.stop().await;
    Ok(())
}

/// The program's own routes.
async fn serve(listener: TcpListener, gateway: &Arc<Gateway>) -> std::io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        let gateway = Arc::clone(gateway);
        let service = service_fn(move |request| {
            std::future::ready(Ok::<_, Infallible>(answer(&request, &gateway)))
        });
        connections.spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // A client that breaks off concerns nobody else.
            let _ = connection.await;
        });
        while connections.try_join_next().is_some() {}
    }
}

fn answer(request: &Request<Incoming>, gateway: &Gateway) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/status") => {
            let status = json!({
                "games": gateway.game_types().collect::<Vec<_>>(),
                "rooms": gateway.room_count(),
                "connections": gateway.connection_count(),
            });
            Response::new(Full::from(status.to_string()))
        }
        _ => {
            let mut answer = Response::new(Full::from("no such page"));
            *answer.status_mut() = StatusCode::NOT_FOUND;
            answer
        }
    }
}
