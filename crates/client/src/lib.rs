//! A Rust client for Parlor servers: for native games, bots, tests and load.
//!
//! A [`Player`] sits at a table and comes back to it by itself when the connection is lost. It asks,
//! and every answer is typed; what happens in its room comes as [`Happenings`]. Either codec will do.
//!
//! A [`Client`] is one connection, for those who want to decide themselves when to connect again: a
//! [`Session`] is what then brings a player back to its seat.
//!
//! ```no_run
//! use parlor_client::protocol::{EventType, PlayerName};
//! use parlor_client::{Happening, Player, PlayerOptions, any_seat};
//! use serde_json::{Value, json};
//!
//! # async fn play() -> Result<(), Box<dyn std::error::Error>> {
//! let seat = any_seat("tictactoe", PlayerName::parse("Ada")?);
//! let (player, mut happenings) =
//!     Player::connect("ws://127.0.0.1:8080/ws", seat, PlayerOptions::default())?;
//!
//! let mut me = None;
//! loop {
//!     let view: Value = match happenings.next().await? {
//!         Happening::Snapshot(room) => {
//!             me = Some(room.player_id.0);
//!             room.state
//!         }
//!         Happening::State(now) => now.state,
//!         Happening::Event(event) if event.kind == EventType::GameFinished => return Ok(()),
//!         Happening::Event(_) => continue,
//!     };
//!     if view["turn"].as_u64() == me.map(u64::from) {
//!         player.act(&json!({"row": 1, "col": 1})).await?;
//!     }
//! }
//! # }
//! ```
//!
//! A server may send states whole or say what has changed in them. Here they are always whole: a
//! player's by themselves, those of a [`Client`] by a [`StateFollower`].
//!
//! The socket is `tokio-tungstenite`'s. The server has another WebSocket implementation, so that
//! each is held to the standard by the other, and this one may be read from a `select!`. It brings no TLS:
//! addresses begin with `ws://`, and one with `wss://` that a server names is not followed. Who has streams with
//! TLS hands them to [`Client::over`] or [`Player::over`].

mod client;
mod closed;
mod connect;
mod event;
mod joining;
mod player;
mod pump;
mod request;
mod requests;
mod session;
mod shared;
mod states;

/// The messages themselves.
pub use parlor_protocol as protocol;

pub use client::{Client, Options};
pub use closed::Closed;
pub use connect::ConnectError;
pub use event::{Event, Events};
pub use joining::{any_seat, new_room, seat_in};
pub use player::{Ended, Happening, Happenings, Player, PlayerOptions, Status, WayIn};
pub use request::RequestError;
pub use session::Session;
pub use states::{Followed, StateFollower};
