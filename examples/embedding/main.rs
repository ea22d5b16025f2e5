//! A game server inside a program that has routes, players and records of its own.
//!
//! The game server has its port, with its pages and sockets; the program has another, from which it looks
//! into the rooms and opens tables. It says who may sit down, and writes what was played to a file. In front of
//! both ports one would put the reverse proxy that is there anyway.
//!
//! Run it with `cargo run -p parlor-examples --bin embedding -- results.jsonl`. Ctrl-C stops both.

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
use parlor_server::game::{GameError, Scalar};
use parlor_server::{
    Admission, JoinHook, Joining, Lifecycle, NewRoom, NoNews, RoomChange, Running, Server,
    ServerConfig, runtime,
};
use serde_json::json;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    runtime()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "results.jsonl".to_owned());
    let results = File::options().create(true).append(true).open(&path).await?;

    let mut config = ServerConfig::default();
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let games = Server::new(config).game(TicTacToe).join_hook(Members).start()?;
    let games = Arc::new(games);
    let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("games on http://{}", games.address());
    println!("status on http://{}/status", own.local_addr()?);

    tokio::select! {
        // Losing the race drops the listener, every connection and the file, which is what stopping
        // means here.
        failed = serve(own, &games) => failed?,
        failed = record(games.lifecycle(), results) => failed?,
        pressed = tokio::signal::ctrl_c() => pressed?,
    }
    // Players are told to come back later; their seats are held for the game's grace period.
    if let Some(games) = Arc::into_inner(games) {
        games.stop().await;
    }
    Ok(())
}

/// Everybody but one may play. A real program would look into its database here.
struct Members;

impl JoinHook for Members {
    async fn admit(&self, joining: Joining) -> Result<Admission, GameError> {
        if joining.player_name.as_str() == "Mallory" {
            return Err(GameError::new("NOT_A_MEMBER", "this club is for members"));
        }
        let mut admission = Admission::default();
        admission.profile.insert("member".to_owned(), Scalar::Bool(true));
        Ok(admission)
    }
}

/// Writes a line for each game that has ended.
async fn record(mut lifecycle: Lifecycle, mut results: File) -> std::io::Result<()> {
    loop {
        let news = match lifecycle.next().await {
            Ok(news) => news,
            Err(NoNews::Missed(count)) => {
                println!("{count} pieces of news came faster than they could be written");
                continue;
            }
            Err(NoNews::Over) => return Ok(()),
        };
        let RoomChange::Finished { players, result } = news.what else { continue };
        let names: Vec<&str> = players.iter().map(|player| player.name.as_str()).collect();
        let line = json!({
            "at": news.at.as_millis(),
            "room": news.room.as_str(),
            "game": news.game_type,
            "players": names,
            "result": result,
        });
        results.write_all(format!("{line}\n").as_bytes()).await?;
        results.flush().await?;
    }
}

/// The program's own routes.
async fn serve(listener: TcpListener, games: &Arc<Running>) -> std::io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        let games = Arc::clone(games);
        let service = service_fn(move |request| {
            let games = Arc::clone(&games);
            async move { Ok::<_, Infallible>(answer(&request, &games).await) }
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

async fn answer(request: &Request<Incoming>, games: &Running) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/status") => {
            let gateway = games.gateway();
            let status = json!({
                "games": gateway.game_types().collect::<Vec<_>>(),
                "rooms": gateway.room_count(),
                "connections": gateway.connection_count(),
            });
            respond(StatusCode::OK, status.to_string())
        }
        // A table that waits ten minutes for whoever follows the link.
        (&Method::POST, "/tables") => match games.rooms().create(NewRoom::of("tictactoe")).await {
            Ok(room) => {
                let link =
                    format!("http://{}/play/tictactoe?room={}", games.address(), room.room_id);
                respond(
                    StatusCode::CREATED,
                    json!({"room": room.room_id, "link": link}).to_string(),
                )
            }
            Err(refused) => respond(StatusCode::SERVICE_UNAVAILABLE, refused.message.into_owned()),
        },
        _ => respond(StatusCode::NOT_FOUND, "no such page"),
    }
}

fn respond(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
}
