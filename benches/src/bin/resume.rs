//! How soon a player is back after a lost connection, and what it costs to remember what it missed.
//!
//! ```sh
//! cargo run --release -p parlor-bench --bin resume -- 200
//! ```
//!
//! Starts a server in this process and lets so many players sit down, ten to a room. One after another, and
//! then all at once, they lose their connections while the others go on, and come back: timed from the first
//! byte of the new connection to the last event that was missed, over loopback. Then rooms without sockets are
//! talked full, and the memory of this process is read before and after.

#![expect(clippy::print_stdout, reason = "a program for people to read")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use parlor_bench::talk;
use parlor_client::protocol::{Codec, PlayerName, Resumed};
use parlor_client::{Client, Options, Session, new_room, seat_in};
use parlor_gateway::HistoryLimits;
use parlor_server::{Server, ServerConfig, runtime};
use parlor_testutil::games::{Ledger, Page};
use serde_json::json;
use tokio::task::JoinSet;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let players = std::env::args().nth(1).map_or(Ok(200), |players| players.parse())?;
    runtime()?.block_on(run(players))
}

async fn run(players: usize) -> Result<(), Failure> {
    let mut config = ServerConfig::default();
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.gateway.requests_per_second = 1_000_000;
    config.gateway.requests_burst = 1_000_000;
    let server = Server::new(config).game(Ledger).start()?;
    let url = format!("ws://{}/ws", server.address());

    let mut rooms = Vec::new();
    for _ in 0..players.div_ceil(SEATS) {
        rooms.push(Table::open(&url).await?);
    }
    for missed in [0, 10, 100, 400] {
        for with_history in [true, false] {
            let mut alone = Vec::new();
            for table in &mut rooms {
                alone.extend(table.lose_and_return(&url, missed, with_history, false).await?);
            }
            let mut together = Vec::new();
            for table in &mut rooms {
                together.extend(table.lose_and_return(&url, missed, with_history, true).await?);
            }
            let kind = if with_history { "replayed" } else { "snapshot" };
            report(&format!("{kind}, {missed} missed, one at a time"), alone);
            report(&format!("{kind}, {missed} missed, nine at once"), together);
        }
    }
    drop(rooms);
    server.stop().await;

    let HistoryLimits { events_max, bytes_max, .. } = HistoryLimits::default();
    println!("bounds of a history: {events_max} events, {bytes_max} bytes");
    for codecs in [&Codec::ALL[..1], &Codec::ALL[..]] {
        let bytes = talk::memory_of_histories(ROOMS_TALKED_FULL, events_max, codecs)?;
        println!("a full history of lines of 100 bytes in {codecs:?}: {bytes} bytes a room");
    }
    Ok(())
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    println!("{what}: p50 {:?}, p99 {:?} of {}", at(50), at(99), times.len());
}

/// A room: one who stays and those who come and go.
struct Table {
    host: Client,
    others: Vec<Session>,
    number: u64,
}

impl Table {
    async fn open(url: &str) -> Result<Self, Failure> {
        let (host, mut told) = Client::connect(url, Options::default()).await?;
        let mut room = new_room("ledger", PlayerName::parse("Host")?);
        room.options = json!({"seats": SEATS}).as_object().cloned().unwrap_or_default();
        let joined = host.create_room::<Page>(&room).await?;
        host.start_game().await?;
        let mut others = Vec::new();
        for seat in 1..SEATS {
            let (client, _events) = Client::connect(url, Options::default()).await?;
            let name = PlayerName::parse(&format!("Player {seat}"))?;
            client.join_room::<Page>(&seat_in(joined.room_id, name)).await?;
            others.push(client.session().ok_or("a seat has a session")?);
        }
        // What it is told has to be taken. Ends with its connection.
        tokio::spawn(async move { while told.next().await.is_ok() {} });
        Ok(Self { host, others, number: 0 })
    }

    /// Lets the others be away while so much happens, and times how they come back.
    async fn lose_and_return(
        &mut self,
        url: &str,
        missed: usize,
        with_history: bool,
        at_once: bool,
    ) -> Result<Vec<Duration>, Failure> {
        let mut seq = 0;
        // First where the room stands now, so that just this much is missed.
        let mut returning = Vec::new();
        for session in std::mem::take(&mut self.others) {
            let (client, session, _) = come_back(url, session, false, 0).await?;
            drop(client);
            returning.push(session);
        }
        for _ in 0..missed.div_ceil(2) {
            // Each entry is an event for all and one for the host.
            self.number += 1;
            seq = self.host.act(&json!({"do": "enter", "number": self.number})).await?.seq;
        }
        let mut times = Vec::new();
        let mut tasks = JoinSet::new();
        for session in returning {
            let url = url.to_owned();
            let task = async move { come_back(&url, session, with_history, seq).await };
            if at_once {
                tasks.spawn(task);
                continue;
            }
            let (_, session, time) = task.await?;
            self.others.push(session);
            times.push(time);
        }
        while let Some(back) = tasks.join_next().await {
            let (_, session, time) = back??;
            self.others.push(session);
            times.push(time);
        }
        Ok(times)
    }
}

/// Comes back, and waits for the room's number `seq` in what was missed.
async fn come_back(
    url: &str,
    mut session: Session,
    with_history: bool,
    seq: u64,
) -> Result<(Client, Session, Duration), Failure> {
    let asked = Instant::now();
    let (client, mut events) = Client::connect(url, Options::default()).await?;
    if !with_history {
        session.epoch = "another".to_owned();
    }
    let mut heard = match client.reconnect::<Page>(&mut session).await? {
        Resumed::Snapshot(joined) => joined.seq,
        Resumed::Replayed(replayed) => replayed.seq,
    };
    while heard < seq {
        let event = events.next().await?;
        // The last that all hear of an entry is a state.
        heard = event.seq.unwrap_or(heard);
    }
    let time = asked.elapsed();
    let session = client.session().ok_or("a seat has a session")?;
    Ok((client, session, time))
}

const SEATS: usize = 10;
const ROOMS_TALKED_FULL: usize = 1000;
