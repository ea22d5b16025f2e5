//! What a room sends: numbers, encodings, and who receives them.
//!
//! A [`Feed`] belongs to one room and lives under its lock. It first *stages* a commit, which
//! gives every message its number and its bytes and may fail, and once the commit is published
//! *delivers* what was staged, which cannot. A message is encoded once for each codec in use
//! and each audience, whoever receives it.

mod member;
mod stage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parlor_core::{Game, PlayerId, Roster, ViewKey, Viewer};
use parlor_protocol::CloseCode;

use crate::encode::Link;

pub(crate) use member::{Member, Members};
use stage::{Staged, To, Views};

/// The sending side of a room.
pub(crate) struct Feed {
    /// Names this history of numbers.
    pub(crate) epoch: String,
    /// The number of the last message. The first is 1.
    seq: u64,
    /// Sockets ever attached, to tell a stale one from its successor.
    generations: u64,
    members: Arc<Members>,
    /// The present state as each group of viewers sees it, in each codec in use: whoever is attached
    /// has it, and a state that looks the same is not sent again. Where a group or a codec is
    /// missing, nobody there has been sent the present state.
    views: Views,
    /// The messages of the commit that is about to be published. Empty in between.
    staged: Vec<Staged>,
    /// What `views` will be, if that commit has a new state.
    staged_views: Option<Views>,
}

/// A socket's hold on a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) player: PlayerId,
    /// Which of the sockets that ever held a seat of the room.
    generation: u64,
}

impl Feed {
    pub(crate) fn new(epoch: String) -> Self {
        Self {
            epoch,
            seq: 0,
            generations: 0,
            members: Arc::default(),
            views: Views::default(),
            staged: Vec::new(),
            staged_views: None,
        }
    }

    /// The number of the last message.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// The sockets now attached, to wake them once the room's lock is released.
    pub(crate) fn members(&self) -> Arc<Members> {
        Arc::clone(&self.members)
    }

    /// Whether the socket still holds the seat.
    pub(crate) fn holds(&self, hold: Hold) -> bool {
        self.members.find(hold.player).is_some_and(|member| member.hold == hold)
    }

    /// Whether any socket holds the seat.
    pub(crate) fn is_attached(&self, player: PlayerId) -> bool {
        self.members.find(player).is_some()
    }

    /// Gives the seat to a socket. One that had it is closed as taken over.
    pub(crate) fn attach(&mut self, player: PlayerId, viewer: Viewer, link: Link) -> Hold {
        if let Some(former) = self.detach(player) {
            former.close(CloseCode::TakenOver, "another connection took this session over");
        }
        self.generations += 1;
        let hold = Hold { player, generation: self.generations };
        Arc::make_mut(&mut self.members).add(Member { hold, viewer, link });
        hold
    }

    /// Lets go of the seat's socket, which stays open.
    pub(crate) fn detach(&mut self, player: PlayerId) -> Option<Member> {
        self.members.find(player)?;
        let member = Arc::make_mut(&mut self.members).remove(player);
        if self.members.len() == 0 {
            // States that nobody is there to see make no views, so these would grow old.
            self.views = Views::default();
        }
        member
    }

    /// Closes every socket, because the room is closed.
    pub(crate) fn close(&mut self) {
        for member in std::mem::take(&mut self.members).iter() {
            member.close(CloseCode::RoomClosed, "room closed");
        }
    }

    /// Takes over from the roster who plays and who watches.
    pub(crate) fn follow_roster(&mut self, roster: &Roster) {
        if !self.has_new_role(roster) {
            return;
        }
        for member in Arc::make_mut(&mut self.members).iter_mut() {
            if let Some(seat) = roster.seat(member.hold.player) {
                member.viewer = seat.viewer();
            }
        }
    }

    /// Whether anyone who is attached plays from now on, or watches.
    fn has_new_role(&self, roster: &Roster) -> bool {
        let is_new = |member: &Member| {
            roster.seat(member.hold.player).is_some_and(|seat| seat.viewer() != member.viewer)
        };
        self.members.iter().any(is_new)
    }

    /// Sends what was staged to everyone it is meant for, in order.
    ///
    /// Someone who was sent away hears of it and of nothing after it.
    pub(crate) fn deliver<G: Game>(&mut self, game: &G) {
        let members = Arc::clone(&self.members);
        let mut staged = std::mem::take(&mut self.staged);
        // Asked once for each member, not for each member and view.
        let keys: Vec<Option<ViewKey>> = match self.staged_views {
            Some(_) => members.iter().map(|member| key_of(game, member.viewer)).collect(),
            None => Vec::new(),
        };
        for message in &staged {
            for (place, member) in members.iter().enumerate() {
                if !message.to.includes(member, keys.get(place).copied().flatten()) {
                    continue;
                }
                if let Some(payload) = message.payload(member.link.codec) {
                    member.link.push(Arc::clone(payload), message.class());
                }
            }
            self.follow(message);
        }
        staged.clear();
        self.staged = staged;
        if let Some(views) = self.staged_views.take() {
            self.views = views;
        }
    }

    /// What a delivered message changes here.
    fn follow(&mut self, message: &Staged) {
        self.seq = message.seq;
        match message.to {
            To::Everyone | To::Audience(_) | To::View(_) => {}
            To::Kicked(player) => {
                if let Some(member) = self.detach(player) {
                    member.close(CloseCode::Kicked, "kicked");
                }
            }
        }
    }
}

/// Whose view `viewer` shares. Nobody's, should the game's code break down here, where nothing can be
/// refused any more.
fn key_of<G: Game>(game: &G, viewer: Viewer) -> Option<ViewKey> {
    catch_unwind(AssertUnwindSafe(|| game.view_key(viewer))).ok()
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed")
            .field("seq", &self.seq)
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}
