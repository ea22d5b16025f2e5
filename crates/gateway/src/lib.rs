//! Rooms made reachable, over any transport.
//!
//! ```text
//! frame ─► Connection ─► handler ─► room's lock ─► Room::apply or act ─► Commit
//!                                       │
//!                   publish: snapshot swapped, encoded once per codec and audience
//!                                       │
//!                               outboxes ─► whoever writes to the sockets
//! ```
//!
//! A [`Gateway`] holds rooms of any number of games. Each socket, pipe or test has a
//! [`Connection`]: it hands over frames and takes what the [`Outbox`](outbox::Outbox) holds. Game
//! types are erased here, in `room`, and wire and domain meet in `from_wire` and `to_wire` only.

mod asked;
mod caller;
mod clock;
mod cluster;
mod config;
mod connection;
mod driver;
mod encode;
mod feed;
mod fingerprint;
mod from_wire;
mod gateway;
mod handlers;
mod identity;
mod join_hook;
mod joining_keys;
mod lifecycle;
mod limits;
mod listing;
mod metrics;
mod opening;
mod operators;
pub mod outbox;
mod quotas;
mod rate;
mod registry;
mod room;
mod rooms;
mod seating;
mod secrets;
mod sessions;
mod sharded;
mod shared;
mod ticks;
mod to_wire;
mod traffic;
mod tree;

pub use caller::Caller;
pub use cluster::ClusterConfig;
pub use config::GatewayConfig;
pub use connection::{Connection, Handled};
pub use feed::HistoryLimits;
pub use gateway::{Gateway, GatewayBuilder};
pub use identity::{AuthenticateError, Authenticator, Identity};
pub use join_hook::{Admission, JoinHook, Joining};
pub use lifecycle::{Lifecycle, NoNews, Occupant, RoomChange, RoomNews};
pub use operators::{ConnectionPage, Inspection, Operators, RoomPage};
pub use quotas::{AddressCounts, AddressKey, AddressPlace, Quota};
pub use rooms::{NewRoom, Rooms};
pub use ticks::{LATENESS_BOUNDS_MS, Ticks};
pub use traffic::Traffic;
