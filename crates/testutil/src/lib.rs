//! What tests of several crates share. No part of a released program.

pub mod browser;
pub mod process;
pub mod wire;
