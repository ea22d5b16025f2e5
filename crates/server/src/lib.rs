//! A server for multiplayer games.
//!
//! A [`Server`] takes games, each a type that implements [`Game`](game::Game), and pages
//! for them, and serves both: `GET /ws` for clients, everything else for browsers.
//!
//! ```text
//! transport   sockets, handshakes, frames, heartbeats: knows no games
//! http        pages and the shape of errors
//! session     where the two meet the gateway
//! server      all of it as one value
//! ```

mod config;
mod http;
mod jwt;
mod live;
mod process;
mod server;
mod session;
mod signal;
mod tls;
pub mod transport;
mod visitor;

/// What the program around the rooms works with: [`Running::rooms`], [`Running::lifecycle`],
/// [`Server::join_hook`].
pub use parlor_gateway::{
    Admission, AuthenticateError, Authenticator, ClusterConfig, Identity, JoinHook, Joining,
    Lifecycle, NewRoom, NoNews, Occupant, RoomChange, RoomNews, Rooms,
};
/// What [`Server::session_store`] takes.
pub use parlor_store as store;

/// The shapes of what is sent and refused.
pub use parlor_protocol as protocol;

/// What games are written with: the whole of `parlor-core`, so that one dependency is enough.
pub use parlor_core as game;

pub use self::{
    config::{NodeOrigin, Origin, ParseNodeOriginError, ParseOriginError, ServerConfig},
    http::Site,
    jwt::{Jwt, JwtError},
    server::{Running, Server, StartError, Stopped, runtime},
    tls::{TlsError, TlsFiles},
    visitor::ProxyHeader,
};
