//! What tests of several crates share. No part of a released program.

pub mod balancer;
pub mod browser;
pub mod fault_proxy;
pub mod games;
pub mod http;
mod nodes;
pub mod pages;
pub mod process;
pub mod raw;
pub mod redis;
pub mod seat;
pub mod server;
pub mod wire;
