//! The client against a server made of a script, over a pipe.

mod asking;
mod connecting;
mod script;
mod sessions;
