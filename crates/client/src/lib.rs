//! A Rust client for Parlor servers: for native games, bots, tests and load.
//!
//! A [`Client`] is one connection. It asks, and every answer is typed; what happens in its room
//! comes as [`Events`]. Either codec will do. A [`Session`] is what brings a player back to its seat
//! over another connection; connecting again, and when, is the caller's.
//!
//! ```no_run
//! use parlor_client::protocol::{EventType, PlayerName, RoomState};
//! use parlor_client::{Client, Options, any_seat};
//! use serde_json::{Value, json};
//!
//! # async fn play() -> Result<(), Box<dyn std::error::Error>> {
//! let (client, mut events) = Client::connect("ws://127.0.0.1:8080/ws", Options::default()).await?;
//! let me = client.quick_match::<Value>(&any_seat("tictactoe", PlayerName::parse("Ada")?)).await?;
//!
//! loop {
//!     let event = events.next().await?;
//!     match event.kind {
//!         EventType::RoomState => {
//!             let now: RoomState<Value> = event.data()?;
//!             if now.state["turn"] == me.player_id.0 {
//!                 client.act(&json!({"row": 1, "col": 1})).await?;
//!             }
//!         }
//!         EventType::GameFinished => return Ok(()),
//!         _ => {}
//!     }
//! }
//! # }
//! ```
//!
//! The socket is `tokio-tungstenite`'s. The server has another WebSocket implementation, so that
//! each is held to the standard by the other, and this one may be read from a `select!`.

mod client;
mod closed;
mod connect;
mod event;
mod joining;
mod pump;
mod request;
mod requests;
mod session;
mod shared;

/// The messages themselves.
pub use parlor_protocol as protocol;

pub use client::{Client, Options};
pub use closed::Closed;
pub use connect::ConnectError;
pub use event::{Event, Events};
pub use joining::{any_seat, new_room, seat_in};
pub use request::RequestError;
pub use session::Session;
