//! A player who loses its connection and comes back, over and over.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parlor_gateway::outbox::{Message, Taken};
use parlor_gateway::{Connection, Gateway};
use parlor_protocol::Codec;
use serde_json::{Value, json};

use crate::{Marker, joined, run, unhurried};

/// A room of ten, of whom one has come and gone so often that nothing else is left in the room's history.
#[derive(Debug)]
pub struct Returning {
    gateway: Arc<Gateway>,
    others: Vec<Connection>,
    away: Option<Connection>,
    token: Value,
    epoch: Value,
    seq: u64,
    taken: Vec<Message>,
}

impl Returning {
    /// Must be called within a tokio runtime.
    pub fn new() -> Self {
        let gateway = unhurried().game(Marker).start();
        let mut others = Vec::new();
        let mut room_id = Value::Null;
        for seat in 0..SEATS {
            let mut player = gateway.connect(Codec::Json);
            let name = format!("Player {seat}");
            let request = if seat == 0 {
                let data = json!({"gameType": "marker", "playerName": name, "maxPlayers": SEATS});
                json!({"type": "create_room", "data": data})
            } else {
                json!({"type": "join_room", "data": {"roomId": room_id, "playerName": name}})
            };
            run(&mut player, request.to_string().as_bytes());
            if seat == 0 {
                room_id = joined(&player)["roomId"].clone();
            }
            others.push(player);
        }
        let away = others.pop().expect("there are ten");
        let session = joined(&away);
        let mut returning = Self {
            gateway,
            others,
            token: session["sessionToken"].clone(),
            epoch: session["epoch"].clone(),
            seq: 0,
            away: Some(away),
            taken: Vec::new(),
        };
        for _ in 0..RETURNS {
            returning.come_back(0);
        }
        returning
    }

    /// Loses the connection and comes back as one who has missed so many events, or with more than the room
    /// remembers, and so gets a snapshot. Gives how many messages that took.
    ///
    /// # Panics
    ///
    /// When it is not let in.
    pub fn come_back(&mut self, missed: u64) -> usize {
        drop(self.away.take());
        let mut player = self.gateway.connect(Codec::Json);
        // Each event is followed by a state, which has a number as well.
        let last_seq = self.seq.saturating_sub(2 * missed);
        let data = json!({"sessionToken": self.token, "epoch": self.epoch, "lastSeq": last_seq});
        run(&mut player, json!({"type": "reconnect", "data": data}).to_string().as_bytes());
        let mut messages = 0;
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Taken::Messages { .. }) =
            player.outbox().poll_take(&mut cx, 64, &mut self.taken)
        {
            messages += self.taken.len();
            // Its own return is the last that it hears of.
            let last = self.taken.last().expect("what was taken");
            let last: Value = serde_json::from_slice(&last.payload).expect("a message");
            self.seq = last["seq"].as_u64().unwrap_or(self.seq);
            self.taken.clear();
        }
        self.away = Some(player);
        self.drain();
        messages
    }

    fn drain(&mut self) {
        crate::drain(&self.others, &mut self.taken);
        if let Some(away) = &self.away {
            crate::drain(std::slice::from_ref(away), &mut self.taken);
        }
    }
}

impl Default for Returning {
    fn default() -> Self {
        Self::new()
    }
}

const SEATS: usize = 10;
/// Two events each: more than a history holds by default, so that there is a snapshot to be had.
const RETURNS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_back_gets_what_was_missed_or_a_snapshot() {
        let mut returning = Returning::new();
        for missed in [10, 50, 100] {
            // The welcome, the answer, the state, that it went and came, and what was missed.
            assert_eq!(returning.come_back(missed), 5 + usize::try_from(missed).unwrap());
        }
        assert_eq!(returning.come_back(1000), 3, "a snapshot, and its return");
    }
}
