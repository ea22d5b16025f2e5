//! The core's concurrency under every order of events: only tests live here, in `tests/`.
//!
//! They run the real code under [shuttle](https://docs.rs/shuttle), which decides at each point of
//! exchange which thread goes on. A crate of its own, so that no other crate's tests need shuttle,
//! and Miri, which cannot switch stacks as shuttle does, runs all of the core's.
