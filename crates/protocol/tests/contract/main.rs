//! The contract, from outside: what is on the wire, what is let in, what is refused and how.
//!
//! One binary, so that it links once. [`samples`] holds one of every message for all the others.

mod bounds;
mod docs;
mod fields;
mod garbage;
mod golden;
mod reading;
mod samples;
#[cfg(feature = "schema")]
mod schema;
mod tables;
