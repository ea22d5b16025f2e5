//! The load tool: what a server holds, and what the next player will cost.

pub mod report;
