//! What has happened and cannot be refused: someone left, a deadline passed.
//!
//! The game is told. When its callback fails, its part is dropped and the room's own fact stands.

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::{FAILURES_IN_A_ROW_MAX, Room};
use crate::commit::Head;
use crate::{
    AfterGrace, Charter, CloseReason, Command, Commit, Failure, Fault, Game, LeaveReason, Phase,
    PlayerId, Refusal, RoomEvent, Snapshot, StartRule, SyncMode, Time,
};

/// Something that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fact {
    Reconnect(PlayerId),
    Disconnect(PlayerId),
    Leave(PlayerId),
    Kick {
        by: Option<PlayerId>,
        player: PlayerId,
        ban: bool,
    },
    RemoveBot {
        by: PlayerId,
        bot: PlayerId,
    },
    Close(CloseReason),
    /// The conditions of an automatic start are met.
    Start,
    /// A game's timer is due.
    Timer,
    /// A player is not back in time.
    GraceOver(PlayerId),
    /// The host is away for too long.
    HostAway,
    /// The room is too late for so many steps of its game.
    SkipSteps(u64),
    /// A step of the game is due.
    Tick,
    /// A state that was not shown yet may be.
    Show,
}

impl Fact {
    /// The fact that a command reports, if it is one that cannot be refused by the game.
    pub(super) fn of(command: &Command) -> Option<Self> {
        match *command {
            Command::Reconnect(player) => Some(Self::Reconnect(player)),
            Command::Disconnect(player) => Some(Self::Disconnect(player)),
            Command::Leave(player) => Some(Self::Leave(player)),
            Command::Kick { by, player, ban } => Some(Self::Kick { by, player, ban }),
            Command::RemoveBot { by, bot } => Some(Self::RemoveBot { by, bot }),
            Command::Close(reason) => Some(Self::Close(reason)),
            Command::Join(_)
            | Command::RenewToken { .. }
            | Command::SetReady(..)
            | Command::SetSpectator(..)
            | Command::Chat(..)
            | Command::Start(_)
            | Command::Rematch(_)
            | Command::AddBot { .. }
            | Command::SetHost { .. }
            | Command::Update { .. }
            | Command::Signal(_) => None,
        }
    }
}

impl<G: Game> Room<G> {
    /// Makes `fact` so, with the game's part if that succeeds.
    ///
    /// Refused only for reasons of the room's own, such as a kick by someone who is not host.
    pub(super) fn settle(&mut self, now: Time, fact: Fact) -> Result<Commit<G>, Refusal> {
        let settled = self.transact(now, |draft| draft.settle(fact));
        let failure = match settled {
            Ok(mut commit) => {
                commit.fact = Some(fact);
                return Ok(commit);
            }
            Err(Refusal::Failed(failure)) => failure,
            Err(Refusal::Game(error)) => {
                Failure { callback: fact.callback(), fault: Fault::Refused(error) }
            }
            Err(refusal) => return Err(refusal),
        };
        self.settle_without_game(now, fact, failure)
    }

    /// Makes `fact` so, and records that the game's part was dropped for `failure`.
    pub(super) fn settle_without_game(
        &mut self,
        now: Time,
        fact: Fact,
        failure: Failure,
    ) -> Result<Commit<G>, Refusal> {
        let failures = self.head.failures + 1;
        let mut commit = self.transact(now, |draft| {
            draft.with_game = false;
            draft.settle(fact)
        })?;
        commit.after.failures = failures;
        commit.after.reschedule(&self.charter);
        self.head = commit.after.clone();
        commit.fact = Some(fact);
        commit.failure = Some(failure);
        Ok(commit)
    }
}

impl Fact {
    /// The callback that hears of it.
    fn callback(self) -> &'static str {
        match self {
            Self::Reconnect(_) => "on_reconnect",
            Self::Disconnect(_) => "on_disconnect",
            Self::Leave(_) | Self::Kick { .. } | Self::RemoveBot { .. } => "on_leave",
            Self::GraceOver(_) => "on_forfeit or on_leave",
            Self::Start => "on_start",
            Self::Timer => "on_timer",
            Self::Tick => "on_tick",
            Self::Show => "view",
            Self::Close(_) | Self::HostAway | Self::SkipSteps(_) => "none",
        }
    }
}

impl<G: Game> Draft<'_, G> {
    fn settle(&mut self, fact: Fact) -> Result<(), Refusal> {
        match fact {
            Fact::Reconnect(player) => self.reconnect(player),
            Fact::Disconnect(player) => self.disconnect(player),
            Fact::Leave(player) => self.leave(player, LeaveReason::Left),
            Fact::Kick { by, player, ban } => self.kick(by, player, ban),
            Fact::RemoveBot { by, bot } => self.remove_bot(by, bot),
            Fact::Close(reason) => {
                self.close(reason);
                Ok(())
            }
            Fact::Start => self.start_by_itself(),
            Fact::Timer => self.fire_timer(),
            Fact::GraceOver(player) => self.end_grace(player),
            Fact::HostAway => {
                self.hand_over();
                Ok(())
            }
            Fact::SkipSteps(steps) => {
                self.skip_steps(steps);
                Ok(())
            }
            Fact::Tick => self.take_step(),
            // To be at this moment is all there is to it: see `Draft::commit`.
            Fact::Show => Ok(()),
        }
    }

    fn fire_timer(&mut self) -> Result<(), Refusal> {
        let timer = self.books_mut().timers.take_first();
        self.call("on_timer", |game, state, ctx| game.on_timer(state, timer, ctx))
    }

    fn end_grace(&mut self, player: PlayerId) -> Result<(), Refusal> {
        let seat = self.seat(player)?;
        if seat.spectator || self.phase() != Phase::Playing {
            return self.leave(player, LeaveReason::Timeout);
        }
        match &self.charter.rules.after_grace {
            AfterGrace::Remove => self.leave(player, LeaveReason::Timeout),
            AfterGrace::Forfeit => {
                self.roster_mut().change(player, |seat| {
                    seat.grace_until = None;
                    seat.forfeited = true;
                });
                self.call("on_forfeit", |game, state, ctx| game.on_forfeit(state, player, ctx))
            }
            AfterGrace::StandIn { level } => {
                // Nobody can sit in without the game, or when it lacks the level that it names.
                if !self.with_game || !self.has_bot(level)? {
                    return self.leave(player, LeaveReason::Timeout);
                }
                self.roster_mut().change(player, |seat| {
                    seat.grace_until = None;
                    seat.bot = Some(level.as_ref().into());
                });
                self.tell_seat(player, RoomEvent::Replaced);
                Ok(())
            }
        }
    }

    fn close(&mut self, reason: CloseReason) {
        let books = self.books_mut();
        books.closed = Some(reason);
        books.timers.clear();
        self.tell(RoomEvent::Closed(reason));
    }
}

impl<G: Game> Head<G> {
    /// The earliest deadline due at `now`, and its own time.
    pub(super) fn due(&self, charter: &Charter<G>, now: Time) -> Option<(Time, Fact)> {
        // The cheap look first: most calls find nothing due.
        if self.wake_at? > now {
            return None;
        }
        let (at, fact) = self.next_deadline(charter).filter(|(at, _)| *at <= now)?;
        if let (Fact::Tick, Some(ticks)) = (fact, &self.ticks) {
            let surplus = ticks.surplus(now);
            if surplus > 0 {
                return Some((at, Fact::SkipSteps(surplus)));
            }
        }
        Some((at, fact))
    }

    /// Finds out anew when the room next wants to be called.
    pub(super) fn reschedule(&mut self, charter: &Charter<G>) {
        self.wake_at = self.next_deadline(charter).map(|(at, _)| at);
    }

    /// Whether a state waits to be shown that no step will show.
    pub(super) fn has_unshown(&self, charter: &Charter<G>) -> bool {
        self.ticks.is_none()
            && self.shown.version != self.snapshot.version
            && charter.rules.sync.mode != SyncMode::Events
    }

    /// The room's next deadline. Among equal times, in the order they stand here.
    fn next_deadline(&self, charter: &Charter<G>) -> Option<(Time, Fact)> {
        let Self { snapshot, books, .. } = self;
        if books.closed.is_some() {
            return None;
        }
        if self.failures >= FAILURES_IN_A_ROW_MAX {
            return Some((self.clock, Fact::Close(CloseReason::Error)));
        }
        if snapshot.phase == Phase::Lobby
            && !books.start_failed
            && starts_by_itself(charter, snapshot)
        {
            return Some((self.clock, Fact::Start));
        }
        let graces = snapshot
            .roster
            .seats()
            .filter_map(|seat| Some((seat.grace_until?, Fact::GraceOver(seat.id()))));
        let others = [
            books.host_until.map(|at| (at, Fact::HostAway)),
            books.timers.next().map(|at| (at, Fact::Timer)),
            self.ticks.and_then(|ticks| ticks.next()).map(|at| (at, Fact::Tick)),
            self.has_unshown(charter).then_some((self.shown.next, Fact::Show)),
            books.empty_until.map(|at| {
                let reason =
                    if books.is_reserved { CloseReason::Expired } else { CloseReason::Empty };
                (at, Fact::Close(reason))
            }),
            books.finished_until.map(|at| (at, Fact::Close(CloseReason::Finished))),
        ];
        // `min_by_key` keeps the first of equals.
        graces.chain(others.into_iter().flatten()).min_by_key(|(at, _)| *at)
    }
}

fn starts_by_itself<G: Game>(charter: &Charter<G>, snapshot: &Snapshot<G>) -> bool {
    let (rules, roster) = (&charter.rules, &snapshot.roster);
    let taken = snapshot.seats_taken();
    // Bots that the last human has left behind do not begin among themselves.
    if !roster.keeps_room() {
        return false;
    }
    match rules.start {
        StartRule::Host => false,
        StartRule::WhenFull => {
            taken == usize::from(rules.players_max)
                && roster.players().all(|seat| seat.is_present())
        }
        StartRule::AllReady => {
            taken >= usize::from(rules.players_min)
                && roster.players().all(|seat| seat.is_present() && seat.is_ready())
        }
    }
}
