//! Seats for bots.

use parlor_core::Time;
use parlor_protocol::{AddBot, OnePlayer};

use crate::connection::Connection;
use crate::encode::Answering;
use crate::from_wire;

pub(super) fn add(connection: &mut Connection, to: Answering, now: Time, data: AddBot) {
    connection.command(to, now, |by| from_wire::add_bot(by, data));
}

pub(super) fn remove(connection: &mut Connection, to: Answering, now: Time, data: OnePlayer) {
    connection.command(to, now, |by| from_wire::remove_bot(by, data));
}
