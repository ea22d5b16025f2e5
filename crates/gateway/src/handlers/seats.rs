//! A player's own seat.

use parlor_core::{Command, Time};
use parlor_protocol::{SetReady, SetRole};

use crate::connection::Connection;
use crate::encode::Answering;

pub(super) fn leave(connection: &mut Connection, to: Answering, now: Time) {
    connection.command(to, now, Command::Leave);
}

pub(super) fn set_ready(connection: &mut Connection, to: Answering, now: Time, data: SetReady) {
    connection.command(to, now, |player| Command::SetReady(player, data.ready));
}

pub(super) fn set_role(connection: &mut Connection, to: Answering, now: Time, data: SetRole) {
    connection.command(to, now, |player| Command::SetSpectator(player, data.spectator));
}
