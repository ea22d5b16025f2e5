//! The Parlor server.

mod config;
mod http;
pub mod transport;

pub use self::{config::ServerConfig, http::Site};
