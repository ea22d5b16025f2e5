//! The players' pages in a real browser, against the real binary.
//!
//! Each test does what people do and looks at what they would see. At its end every window is closed by
//! `finish`, which holds its console to being quiet: no error, and nothing that the content
//! security policy had to forbid.

mod network;
mod play;
mod tables;
