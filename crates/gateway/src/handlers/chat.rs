//! Talking.

use parlor_core::{Command, Time};
use parlor_protocol::Chat;

use crate::connection::Connection;
use crate::encode::Answering;

pub(super) fn chat(connection: &mut Connection, to: Answering, now: Time, data: Chat) {
    connection.command(to, now, |player| Command::Chat(player, data.text));
}
