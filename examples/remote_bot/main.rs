//! A bot that plays tic-tac-toe from outside, as a person would: over a socket, knowing only its view.
//!
//! It sits down wherever someone waits, plays one game, and comes back to its seat when the
//! connection breaks. Start a server, then
//! `cargo run -p parlor-examples --bin remote_bot -- ws://127.0.0.1:8080/ws Robin`.

#![expect(clippy::print_stdout, reason = "a program for people to watch")]

use std::error::Error;
use std::time::Duration;

use parlor_client::protocol::{EventType, Joined, Phase, PlayerId, PlayerName, Resumed, RoomState};
use parlor_client::{Client, Events, Options, Session, any_seat};
use serde::Deserialize;
use serde_json::json;

/// As much of the view as the bot cares for.
#[derive(Debug, Deserialize)]
struct View {
    board: [[String; 3]; 3],
    turn: Option<PlayerId>,
    winner: Option<PlayerId>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "ws://127.0.0.1:8080/ws".to_owned());
    let name = PlayerName::parse(&arguments.next().unwrap_or_else(|| "Robin".to_owned()))?;

    let (client, events) = Client::connect(&url, Options::default()).await?;
    let joined: Joined<View> = client.quick_match(&any_seat("tictactoe", name)).await?;
    println!("sat down in {} as player {}", joined.room_id, joined.player_id);

    let mut table = Table { client, events, me: joined.player_id };
    let mut news = Some((joined.phase, joined.state));
    loop {
        match table.play(news).await {
            Ok(winner) => {
                let outcome = match winner {
                    Some(winner) if winner == table.me => "won",
                    Some(_) => "lost",
                    None => "a draw",
                };
                println!("{outcome}");
                return Ok(());
            }
            Err(error) if may_come_back(&table.client) => {
                println!("{error}; coming back");
                let session = table.client.session().ok_or(error)?;
                (table, news) = come_back(&url, session).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

struct Table {
    client: Client,
    events: Events,
    me: PlayerId,
}

/// Where the match stands and what the bot sees of it.
type News = (Phase, View);

impl Table {
    /// Plays from `news` on, if there are some, until the game is over, and says who has won; or
    /// until the connection is over.
    async fn play(&mut self, mut news: Option<News>) -> Result<Option<PlayerId>, Box<dyn Error>> {
        // The room's number after our last move. A view with a lower one is from before it.
        let mut moved = 0;
        loop {
            match news.take() {
                Some((Phase::Finished, view)) => return Ok(view.winner),
                Some((Phase::Playing, view)) if view.turn == Some(self.me) => {
                    moved = self.make_a_move(&view).await?;
                }
                Some(_) | None => {}
            }
            let event = self.events.next().await?;
            if event.kind == EventType::RoomState && event.seq >= Some(moved) {
                let RoomState { phase, state, .. } = event.data()?;
                news = Some((phase, state));
            }
        }
    }

    async fn make_a_move(&self, view: &View) -> Result<u64, Box<dyn Error>> {
        let is_free = |&&(row, col): &&(usize, usize)| view.board[row][col].is_empty();
        let (row, col) = BEST_FIRST.iter().find(is_free).ok_or("a full board has no turn")?;
        Ok(self.client.act(&json!({"row": row, "col": col})).await?.seq)
    }
}

/// Connects again and takes the seat of `session`, with patience.
async fn come_back(
    url: &str,
    mut session: Session,
) -> Result<(Table, Option<News>), Box<dyn Error>> {
    let mut wait = WAIT_MIN;
    loop {
        tokio::time::sleep(wait).await;
        wait *= 2;
        match take_seat_again(url, &mut session).await {
            Ok(back) => return Ok(back),
            Err(error) if wait > WAIT_MAX => return Err(error),
            Err(error) => println!("{error}; trying again in {wait:?}"),
        }
    }
}

async fn take_seat_again(
    url: &str,
    session: &mut Session,
) -> Result<(Table, Option<News>), Box<dyn Error>> {
    let (client, events) = Client::connect(url, Options::default()).await?;
    let news = match client.reconnect(session).await? {
        Resumed::Snapshot(joined) => Some((joined.phase, joined.state)),
        // What was missed follows as events.
        Resumed::Replayed(_) => None,
    };
    Ok((Table { client, events, me: session.player_id }, news))
}

fn may_come_back(client: &Client) -> bool {
    client.closed().is_some_and(|closed| closed.may_reconnect())
}

/// The middle, the corners, the sides.
const BEST_FIRST: [(usize, usize); 9] =
    [(1, 1), (0, 0), (0, 2), (2, 0), (2, 2), (0, 1), (1, 0), (1, 2), (2, 1)];
const WAIT_MIN: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_secs(16);
