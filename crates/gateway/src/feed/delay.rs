//! Spectators who are told everything later than the players.
//!
//! What happens is held back in a line until its time has come, and until then the room is, for whoever
//! watches, as it was [`Then`]: the answer to a join, a state that is asked for, a replay. Numbers are the
//! room's own, so a gap says nothing new.
//!
//! The line is bounded in bytes. When it is full it is thinned out: every second state goes, for a later
//! one makes up for it. Where there is none left to go, the line is cut: its events are given up,
//! spectators are closed as too slow when they get there, and come back to the room as it was at the cut. A
//! cut that waits is not put off by the next one, so however much happens, spectators get on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parlor_core::{
    CHAT_LINES_MAX, Commit, Game, PlayerId, RoomEvent, Roster, Time, ViewKey, Viewer,
};
use parlor_protocol as wire;
use parlor_protocol::CloseCode;

use super::history::in_codec;
use super::stage::Staged;
use super::states::StagedState;
use super::{Feed, Member};
use crate::outbox::{Class, Wakes};
use crate::to_wire;
use crate::tree::Tree;

/// What spectators are told, and when.
pub(crate) struct Delay {
    by: Duration,
    bytes_max: usize,
    /// Whose view all spectators share.
    key: ViewKey,
    /// What is not told yet, oldest first.
    line: VecDeque<Late>,
    /// What the line takes, about.
    bytes: usize,
    then: Then,
}

/// The room as spectators know it: as it was a while ago.
pub(crate) struct Then {
    /// The number of the last message.
    pub(crate) seq: u64,
    /// The number of the last state.
    pub(crate) state_seq: u64,
    pub(crate) version: u64,
    pub(crate) phase: wire::Phase,
    pub(crate) roster: Arc<Roster>,
    /// At most [`CHAT_LINES_MAX`] lines.
    pub(crate) chat: VecDeque<wire::ChatMessage>,
    /// The state as spectators see it.
    pub(crate) tree: Tree,
}

/// A change that spectators are told of later.
pub(super) struct Late {
    due: Time,
    roster: Arc<Roster>,
    events: Vec<Staged>,
    /// Those of its events that are lines of chat.
    chat: Vec<wire::ChatMessage>,
    state: Option<LateState>,
    /// The number of the last message.
    seq: u64,
    /// Whether what came before it in the line was given up.
    is_cut: bool,
}

/// A state that was shown, as spectators see it.
pub(super) struct LateState {
    seq: u64,
    version: u64,
    phase: wire::Phase,
    is_whole: bool,
    tree: Tree,
}

impl Late {
    /// The part of `commit` that is not among its messages.
    pub(super) fn of<G: Game>(commit: &Commit<G>, delay: &Delay) -> Self {
        let line = |event: &RoomEvent<G>| {
            let RoomEvent::Chat(line) = event else { return None };
            Some(to_wire::chat_message(line))
        };
        Self {
            due: commit.time() + delay.by,
            roster: Arc::clone(&commit.snapshot().roster),
            events: Vec::new(),
            chat: commit.room_events.iter().filter_map(line).collect(),
            state: None,
            seq: 0,
            is_cut: false,
        }
    }

    fn bytes(&self) -> usize {
        let events: usize = self.events.iter().map(Staged::bytes).sum();
        let chat: usize = self.chat.iter().map(|line| line.text.len() + size_of_val(line)).sum();
        let state = self.state.as_ref().map_or(0, |state| state.tree.bytes());
        size_of::<Self>() + events + chat + state
    }
}

impl Delay {
    /// Spectators, whose view has this key, are told everything `by` later. `roster` and `tree` are the
    /// room as it is at first.
    pub(crate) fn new(
        by: Duration,
        bytes_max: usize,
        key: ViewKey,
        roster: Arc<Roster>,
        tree: Tree,
    ) -> Self {
        let then = Then {
            seq: 0,
            state_seq: 0,
            version: 0,
            phase: wire::Phase::Lobby,
            roster,
            chat: VecDeque::new(),
            tree,
        };
        Self { by, bytes_max, key, line: VecDeque::new(), bytes: 0, then }
    }

    fn hold_back(&mut self, late: Late) {
        self.bytes += late.bytes();
        self.line.push_back(late);
        while self.bytes > self.bytes_max {
            if !self.thin_out() {
                self.cut();
                break;
            }
        }
    }

    /// Lets every second state go, of those that a later one makes up for. `false` when there is none.
    fn thin_out(&mut self) -> bool {
        let bytes_before = self.bytes;
        let last = self.line.iter().rposition(|late| late.state.is_some()).unwrap_or(0);
        let mut goes = false;
        for late in self.line.range_mut(..last) {
            if late.state.as_ref().is_some_and(|state| !state.is_whole) {
                goes = !goes;
                if goes && let Some(state) = late.state.take() {
                    self.bytes -= state.tree.bytes();
                }
            }
        }
        self.bytes < bytes_before
    }

    /// Gives up all events in the line, after an earlier cut if there is one. What is left is the room as it is
    /// at its end: at worst, two pictures of a room.
    fn cut(&mut self) {
        let earlier = self.line.pop_front_if(|late| late.is_cut);
        let Some(last) = self.line.back() else {
            self.line.extend(earlier);
            return;
        };
        let (due, seq, roster) = (last.due, last.seq, Arc::clone(&last.roster));
        let state = self.line.iter_mut().rev().find_map(|late| late.state.take());
        let lines = self.line.iter_mut().flat_map(|late| std::mem::take(&mut late.chat));
        let mut chat: VecDeque<_> = lines.collect();
        while chat.len() > CHAT_LINES_MAX {
            chat.pop_front();
        }
        let events = Vec::new();
        let late = Late { due, roster, events, chat: chat.into(), state, seq, is_cut: true };
        self.line = earlier.into_iter().chain([late]).collect();
        self.bytes = self.line.iter().map(Late::bytes).sum();
    }
}

impl Then {
    fn become_as(&mut self, late: Late) {
        self.seq = late.seq;
        self.roster = late.roster;
        self.chat.extend(late.chat);
        while self.chat.len() > CHAT_LINES_MAX {
            self.chat.pop_front();
        }
        if let Some(LateState { seq, version, phase, tree, .. }) = late.state {
            (self.state_seq, self.version, self.phase) = (seq, version, phase);
            std::mem::replace(&mut self.tree, tree).retire();
        }
    }
}

impl Feed {
    /// The room as `viewer` is told of it, if that is not as it is.
    pub(crate) fn then(&self, viewer: Viewer) -> Option<&Then> {
        match viewer {
            Viewer::Spectator => self.delay.as_ref().map(|delay| &delay.then),
            Viewer::Player(_) => None,
        }
    }

    /// Whether the member is told later.
    pub(super) fn is_late(&self, member: &Member) -> bool {
        self.delay.is_some() && member.viewer == Viewer::Spectator
    }

    /// When something held back is next to be told.
    pub(crate) fn late_due(&self) -> Option<Time> {
        self.delay.as_ref()?.line.front().map(|late| late.due)
    }

    /// Holds back what is being delivered: `events`, and the state if one is shown.
    pub(super) fn hold_back(&mut self, events: Vec<Staged>, staged: Option<&StagedState>) {
        let Some(delay) = &mut self.delay else { return };
        let Some(mut late) = self.staged_late.take() else { return };
        late.events = events;
        late.seq = self.seq;
        if let Some(state) = staged
            && let (Some(seq), Some(tree)) = (state.seq(), state.tree_of(delay.key))
        {
            let (version, phase, is_whole) = (state.version(), state.phase(), state.is_whole());
            late.seq = seq;
            late.state = Some(LateState { seq, version, phase, is_whole, tree: tree.clone() });
        }
        let is_news = late.seq > delay.line.back().map_or(delay.then.seq, |last| last.seq);
        if is_news {
            delay.hold_back(*late);
        }
    }

    /// Tells spectators what was held back until `now`.
    pub(crate) fn deliver_late(&mut self, now: Time) {
        while let Some(delay) = &mut self.delay
            && let Some(late) = delay.line.pop_front_if(|late| late.due <= now)
        {
            delay.bytes -= late.bytes();
            self.tell_late(late);
        }
    }

    /// Tells spectators all that was held back: the room is closed, and nothing is left to be kept from
    /// them.
    pub(super) fn flush_late(&mut self) {
        self.deliver_late(Time::from_millis(u64::MAX));
    }

    /// Tells a spectator who is to play all that was held back from it, so that it misses nothing. Where that
    /// was given up it is closed as too slow, and comes back to the whole room.
    pub(super) fn catch_up(&mut self, player: PlayerId) {
        let (Some(delay), Some(member)) = (&self.delay, self.members.find(player)) else { return };
        let Ok(desk) = self.desk(player) else { return };
        for late in &delay.line {
            if late.is_cut {
                member.close(CloseCode::SlowConsumer, CUT);
            }
            send_events(&late.events, member, self.desks[desk].holds.seq, &mut self.wakes);
        }
    }

    fn tell_late(&mut self, mut late: Late) {
        let members = Arc::clone(&self.members);
        for member in members.iter() {
            let Ok(desk) = self.desk(member.hold.player) else { continue };
            if !self.is_late(member) {
                continue;
            }
            if late.is_cut {
                member.close(CloseCode::SlowConsumer, CUT);
            } else {
                send_events(&late.events, member, self.desks[desk].holds.seq, &mut self.wakes);
            }
        }
        let Some(delay) = &mut self.delay else { return };
        if let Some(state) = &mut late.state {
            let then = &delay.then;
            let (key, seq, tree) = (delay.key, state.seq, std::mem::take(&mut state.tree));
            let is_whole = state.is_whole;
            let former = (then.version, &then.tree);
            let mut staged = StagedState::of_one(
                (key, tree),
                former,
                (state.version, state.phase),
                is_whole,
                self.sends_patches,
            );
            self.send_state(&mut staged, seq, |member, holds| {
                (member.viewer == Viewer::Spectator && holds.seq < seq).then_some(key)
            });
            state.tree = staged.into_tree().unwrap_or_default();
        }
        if let Some(delay) = &mut self.delay {
            delay.then.become_as(late);
        }
    }
}

/// Why spectators are closed at a cut.
const CUT: &str = "more happened than is held back";

/// Sends those events to `member` that it hears and that come after number `after`.
fn send_events(events: &[Staged], member: &Member, after: u64, wakes: &mut Wakes) {
    for event in events {
        if event.seq > after
            && event.to.is_heard_by(member.hold.player, Viewer::Spectator)
            && let Some(payload) = in_codec(event, member.outlet.codec)
        {
            member.outlet.push_among(payload, Class::Reliable, wakes);
        }
    }
}
