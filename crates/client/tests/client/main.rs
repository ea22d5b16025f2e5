//! The client against a server made of a script, over a pipe.

mod asking;
mod connecting;
mod moving;
mod players;
mod returning;
mod script;
mod sessions;
mod states;
