//! The sockets attached to a room's seats.

use parlor_core::{PlayerId, Viewer};
use parlor_protocol::CloseCode;

use super::Hold;
use crate::encode::Outlet;

/// A socket attached to a seat.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) hold: Hold,
    pub(crate) viewer: Viewer,
    /// The number of the try by which it came, if it gave one.
    pub(crate) attempt: Option<u64>,
    pub(crate) outlet: Outlet,
}

/// All of them, by rising player id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members(Vec<Member>);

impl Member {
    /// Ends the connection, after what is queued.
    pub(crate) fn close(&self, code: CloseCode, reason: &'static str) {
        self.outlet.outbox.close(code.as_u16(), reason);
    }
}

impl Members {
    pub(crate) fn find(&self, player: PlayerId) -> Option<&Member> {
        self.place(player).ok().map(|place| &self.0[place])
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Member> {
        self.0.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Member> {
        self.0.iter_mut()
    }

    pub(super) fn add(&mut self, member: Member) {
        match self.place(member.hold.player) {
            Ok(place) => self.0[place] = member,
            Err(place) => self.0.insert(place, member),
        }
    }

    pub(super) fn remove(&mut self, player: PlayerId) -> Option<Member> {
        self.place(player).ok().map(|place| self.0.remove(place))
    }

    fn place(&self, player: PlayerId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&player, |member| member.hold.player)
    }
}
