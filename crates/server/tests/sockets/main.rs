//! The transport and the server around it, met by clients that speak WebSocket by the byte.

mod connection;
mod descriptors;
mod server;
mod support;
