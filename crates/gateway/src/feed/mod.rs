//! What a room sends: numbers, encodings, and who receives them.
//!
//! A [`Feed`] belongs to one room and lives under its lock. It first *stages* a commit, which
//! gives every message its number and its bytes and may fail, and once the commit is published
//! *delivers* what was staged, which cannot. A message is encoded once for each codec in use
//! and each audience, whoever receives it.

mod delay;
mod history;
mod member;
mod stage;
mod states;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parlor_core::{Game, PlayerId, Roster, Rules, Seat, SyncMode, Time, ViewKey, Viewer};
use parlor_protocol::{CloseCode, Codec};
use serde_json::Value;

use crate::encode::Outlet;
use crate::outbox::{Class, Wakes};

pub(crate) use delay::Delay;
use delay::Late;
use history::History;
pub use history::HistoryLimits;
pub(crate) use member::{Member, Members};
use stage::{Staged, To};
pub(crate) use states::Holds;
use states::{Seen, StagedState};

/// The sending side of a room.
pub(crate) struct Feed {
    /// Names this history of numbers.
    pub(crate) epoch: String,
    /// The number of the last message. The first is 1.
    seq: u64,
    /// Sockets ever attached, to tell a stale one from its successor.
    generations: u64,
    members: Arc<Members>,
    /// Of whom, those whose writers are to be woken.
    wakes: Wakes,
    /// The seats of humans, attached or away, by rising player id.
    desks: Vec<Desk>,
    history: History,
    /// The number of the last state that anyone may have seen change.
    state_seq: u64,
    /// The version that was shown last.
    version: u64,
    sends_patches: bool,
    /// What was shown last to each group of viewers, by rising key. Where a group is missing, nobody in it
    /// has been shown anything.
    seen: Vec<Seen>,
    /// The messages of the commit that is about to be published. Empty in between.
    staged: Vec<Staged>,
    /// The new state of that commit, if it has one.
    staged_state: Option<StagedState>,
    /// What spectators are told of it later, where they are.
    staged_late: Option<Box<Late>>,
    /// How spectators are told everything later, if they are.
    delay: Option<Box<Delay>>,
}

/// What a feed knows of a human's seat, whether a socket is attached or not.
struct Desk {
    player: PlayerId,
    /// The number before the first that was sent to it in its present role.
    since: u64,
    /// The codec of its last socket.
    codec: Codec,
    /// What its socket has of the state.
    holds: Holds,
}

/// What a player missed while it was away.
pub(crate) struct Missed {
    /// Events by rising number, addressed to the player.
    pub(crate) events: Vec<(u64, Arc<[u8]>)>,
    /// The number of the newest state, if that was missed.
    pub(crate) state_seq: Option<u64>,
}

/// A socket's hold on a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) player: PlayerId,
    /// Which of the sockets that ever held a seat of the room.
    generation: u64,
}

impl Feed {
    pub(crate) fn new(epoch: String, limits: HistoryLimits, rules: &Rules) -> Self {
        let grace = rules.grace_in_play.max(rules.grace_in_lobby);
        Self {
            epoch,
            seq: 0,
            generations: 0,
            members: Arc::default(),
            wakes: Wakes::default(),
            desks: Vec::new(),
            history: History::new(limits, grace),
            state_seq: 0,
            version: 0,
            sends_patches: rules.sync.mode == SyncMode::Patch,
            seen: Vec::new(),
            staged: Vec::new(),
            staged_state: None,
            staged_late: None,
            delay: None,
        }
    }

    /// Tells spectators everything later from now on, before anything has happened.
    pub(crate) fn hold_back_from_spectators(&mut self, delay: Delay) {
        self.delay = Some(Box::new(delay));
    }

    /// The number of the last message.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// The writers that wait for what was delivered, to be woken once the room's lock is released.
    pub(crate) fn take_wakes(&mut self) -> Wakes {
        std::mem::take(&mut self.wakes)
    }

    /// Whether the socket still holds the seat.
    pub(crate) fn holds(&self, hold: Hold) -> bool {
        self.members.find(hold.player).is_some_and(|member| member.hold == hold)
    }

    /// The socket that holds the seat.
    pub(crate) fn holder(&self, player: PlayerId) -> Option<&Member> {
        self.members.find(player)
    }

    /// What `player` missed since number `seq` of the history `epoch`. `None` when that cannot be told
    /// in full: then it needs the whole room.
    pub(crate) fn missed(
        &self,
        epoch: &str,
        seq: u64,
        player: PlayerId,
        viewer: Viewer,
        codec: Codec,
    ) -> Option<Missed> {
        let since = self.desks[self.desk(player).ok()?].since;
        if epoch != self.epoch || seq > self.seq || seq < since {
            return None;
        }
        let mut events = self.history.after(seq, player, viewer, codec)?;
        let then = self.then(viewer);
        if let Some(then) = then {
            events.retain(|(number, _)| *number <= then.seq);
        }
        let state_seq = then.map_or(self.state_seq, |then| then.state_seq);
        let state_seq = Some(state_seq).filter(|state_seq| seq < *state_seq);
        Some(Missed { events, state_seq })
    }

    /// Gives the seat to a socket. One that had it is closed as taken over.
    ///
    /// `attempt` is the number of the try by which it came, `holds` what its greeting told it of the
    /// state.
    pub(crate) fn attach(
        &mut self,
        player: PlayerId,
        viewer: Viewer,
        attempt: Option<u64>,
        holds: Holds,
        outlet: Outlet,
    ) -> Hold {
        if let Some(former) = self.detach(player) {
            former.close(CloseCode::TakenOver, "another connection took this session over");
        }
        self.generations += 1;
        let hold = Hold { player, generation: self.generations };
        match self.desk(player) {
            Ok(place) => {
                self.desks[place].codec = outlet.codec;
                self.desks[place].holds = holds;
            }
            Err(place) => {
                let desk = Desk { player, since: holds.seq, codec: outlet.codec, holds };
                self.desks.insert(place, desk);
            }
        }
        Arc::make_mut(&mut self.members).add(Member { hold, viewer, attempt, outlet });
        hold
    }

    /// The last events, oldest first, as JSON has them.
    pub(crate) fn recent(&self, events_max: usize) -> Vec<Value> {
        self.history.recent(events_max)
    }

    /// The sockets attached to the room's seats.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    /// Lets go of the seat's socket, which stays open.
    pub(crate) fn detach(&mut self, player: PlayerId) -> Option<Member> {
        self.members.find(player)?;
        let member = Arc::make_mut(&mut self.members).remove(player);
        if self.members.len() == 0 {
            // States that nobody is there to see make no views, so these would grow old.
            self.seen = Vec::new();
        }
        member
    }

    /// Closes every socket, because the room is closed here.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &'static str) {
        self.flush_late();
        for member in std::mem::take(&mut self.members).iter() {
            member.close(code, reason);
        }
    }

    /// Takes over from the roster who has a seat, who plays and who watches.
    pub(crate) fn follow_roster(&mut self, roster: &Roster) {
        let mut seat = seats_in_turn(roster);
        self.desks.retain(|desk| seat(desk.player).is_some());
        if !self.has_new_role(roster) {
            return;
        }
        let starts_to_play = |member: &&Member| {
            member.viewer == Viewer::Spectator
                && roster.seat(member.hold.player).is_some_and(|seat| !seat.is_spectator())
        };
        let starters = self.members.iter().filter(starts_to_play);
        for player in starters.map(|member| member.hold.player).collect::<Vec<_>>() {
            self.catch_up(player);
        }
        for member in Arc::make_mut(&mut self.members).iter_mut() {
            let player = member.hold.player;
            let Some(viewer) = roster.seat(player).map(Seat::viewer) else { continue };
            if viewer != member.viewer {
                member.viewer = viewer;
                // Whom the past was told is asked of the present role: it must not reach further
                // back than that. A role changes only at the wish of one who is attached.
                self.desks.iter_mut().filter(|desk| desk.player == player).for_each(|desk| {
                    desk.since = self.seq;
                    // It has seen what those in its old role have.
                    desk.holds.is_current = false;
                    desk.holds.seq = self.seq;
                });
            }
        }
    }

    /// Whether anyone who is attached plays from now on, or watches.
    fn has_new_role(&self, roster: &Roster) -> bool {
        let mut seat = seats_in_turn(roster);
        self.members.iter().any(|member| {
            seat(member.hold.player).is_some_and(|seat| seat.viewer() != member.viewer)
        })
    }

    /// Sends what was staged, which happened at `at`, to everyone it is meant for, in order.
    ///
    /// Someone who was sent away hears of it and of nothing after it.
    pub(crate) fn deliver<G: Game>(&mut self, game: &G, at: Time) {
        let members = Arc::clone(&self.members);
        let mut staged = std::mem::take(&mut self.staged);
        let held_back = if self.delay.is_some() { staged.clone() } else { Vec::new() };
        for message in staged.drain(..) {
            for member in members.iter() {
                let is_heard = message.to.is_heard_by(member.hold.player, member.viewer);
                if !is_heard || self.is_late(member) {
                    continue;
                }
                if let Some(payload) = message.payload(member.outlet.codec) {
                    let payload = Arc::clone(payload);
                    member.outlet.push_among(payload, Class::Reliable, &mut self.wakes);
                }
            }
            self.follow(message, at);
        }
        self.staged = staged;
        let state = self.staged_state.take();
        self.hold_back(held_back, state.as_ref());
        if let Some(state) = state {
            self.deliver_state(game, state);
        }
    }

    /// Whether what was shown last is the state of this version.
    pub(crate) fn has_shown(&self, version: u64) -> bool {
        self.version == version
    }

    /// Takes note that the player was told the whole state of this version, at its own request.
    /// `is_current` says whether that looks the same as what was last shown to it.
    pub(crate) fn was_told(&mut self, player: PlayerId, version: u64, is_current: bool) {
        if let Ok(place) = self.desk(player) {
            let seq = self.desks[place].holds.seq;
            self.desks[place].holds =
                Holds { seq, version: Some(version), is_current, takes_patch: true };
        }
    }

    /// What a delivered message changes here.
    fn follow(&mut self, message: Staged, at: Time) {
        self.seq = message.seq;
        match message.to {
            To::Everyone | To::Audience(_) => {}
            To::Kicked(player) => {
                if let Some(member) = self.detach(player) {
                    member.close(CloseCode::Kicked, "kicked");
                }
            }
        }
        self.history.push(at, message);
    }

    /// Whether a human's seat is without a socket.
    fn is_anyone_away(&self) -> bool {
        self.desks.len() > self.members.len()
    }

    fn desk(&self, player: PlayerId) -> Result<usize, usize> {
        self.desks.binary_search_by_key(&player, |desk| desk.player)
    }
}

/// Finds the seats of players who are asked for by rising id, all in one walk.
fn seats_in_turn<'a>(roster: &'a Roster) -> impl FnMut(PlayerId) -> Option<&'a Seat> {
    let mut seats = roster.seats().peekable();
    move |player| {
        while seats.next_if(|seat| seat.id() < player).is_some() {}
        seats.peek().copied().filter(|seat| seat.id() == player)
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
