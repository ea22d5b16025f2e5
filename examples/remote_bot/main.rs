//! A bot that plays tic-tac-toe from outside, as a person would: over a socket, knowing only its view.
//!
//! It sits down wherever someone waits, plays one game, and comes back to its seat when the
//! connection breaks. Start a server, then
//! `cargo run -p parlor-examples --bin remote_bot -- ws://127.0.0.1:8080/ws Robin`.

#![expect(clippy::print_stdout, reason = "a program for people to watch")]

use std::error::Error;

use parlor_client::protocol::{Phase, PlayerId, PlayerName};
use parlor_client::{Happening, Player, PlayerOptions, Status, any_seat};
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

    let seat = any_seat("tictactoe", name);
    let (player, mut happenings) = Player::connect::<View>(&url, seat, PlayerOptions::default())?;

    // The player comes back by itself; this is for those who watch.
    let mut status = player.status();
    tokio::spawn(async move {
        while status.changed().await.is_ok() {
            if matches!(*status.borrow_and_update(), Status::Resuming) {
                println!("lost the connection; coming back");
            }
        }
    });

    let mut me = None;
    // The room's number after our last move. A view with a lower one is from before it.
    let mut moved = 0;
    loop {
        let (seq, phase, view) = match happenings.next().await? {
            Happening::Snapshot(room) => {
                println!("sat down in {} as player {}", room.room_id, room.player_id);
                me = Some(room.player_id);
                (room.seq, room.phase, room.state)
            }
            Happening::State(now) => (now.seq, now.phase, now.state),
            Happening::Event(_) => continue,
        };
        if phase == Phase::Finished {
            let outcome = match view.winner {
                None => "a draw",
                winner if winner == me => "won",
                Some(_) => "lost",
            };
            println!("{outcome}");
            return Ok(());
        }
        if phase == Phase::Playing && view.turn == me && seq >= moved {
            let is_free = |&&(row, col): &&(usize, usize)| view.board[row][col].is_empty();
            let (row, col) = BEST_FIRST.iter().find(is_free).ok_or("a full board has no turn")?;
            moved = player.act(&json!({"row": row, "col": col})).await?.seq;
        }
    }
}

/// The middle, the corners, the sides.
const BEST_FIRST: [(usize, usize); 9] =
    [(1, 1), (0, 0), (0, 2), (2, 0), (2, 2), (0, 1), (1, 0), (1, 2), (2, 1)];
