//! The adapter between a [`Room`] of some game and the gateway.

use std::panic::catch_unwind;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use parlor_core::{
    Answer, BotTurn, CloseReason, Command, Commit, Effort, Failure, Fault, Game, Origin, Phase,
    PlayerId, Recall, Refusal, Room, RoomView, Seat, SeatKind, Signal, Snapshot, Time, Viewer,
};
use parlor_protocol::{
    AddedBot, ErrorCode, ErrorDetail, Object, Player, RawData, RequestId, RequestType, RoomCode,
    RoomInfo, StateSnapshot,
};

use super::joining::check_subject;
use super::{AfterRequest, AnyRoom, Returning, SeatRequest};
use crate::encode::{Answering, Link, Unencodable, read_tree, to_value};
use crate::feed::{Delay, Feed, Hold};
use crate::operators::Inspection;
use crate::outbox::Outbox;
use crate::seating::{NewToken, Newcomer};
use crate::shared::Shared;
use crate::to_wire;
use crate::tree::Tree;

/// One room with everything that sends for it.
pub(crate) struct GameRoom<G: Game> {
    pub(super) code: RoomCode,
    /// Rises from room to room.
    pub(super) number: u64,
    /// As listings show them.
    pub(super) options: Arc<Object>,
    pub(super) view: RoomView<G>,
    pub(super) shared: Arc<Shared>,
    me: Weak<Self>,
    /// Guards the room and what it sends, together: what is decided is told in the same order.
    /// Taken before any lock of the listings, the driver, the registry or an outbox.
    inner: Mutex<Inner<G>>,
}

pub(super) struct Inner<G: Game> {
    pub(super) room: Room<G>,
    pub(super) feed: Feed,
    /// When the driver will call.
    pub(super) scheduled: Option<Time>,
    /// When the lock was taken.
    locked_at: Instant,
}

impl<G: Game> AnyRoom for GameRoom<G> {
    fn code(&self) -> RoomCode {
        self.code
    }

    fn game_type(&self) -> &'static str {
        G::GAME_TYPE
    }

    fn grace_max(&self) -> Duration {
        let rules = &self.view.charter().rules;
        rules.grace_in_play.max(rules.grace_in_lobby)
    }

    fn join(
        &self,
        now: Time,
        newcomer: Newcomer,
        to: Answering,
        link: &Link,
    ) -> Result<Hold, ErrorDetail> {
        let mut inner = self.lock(now);
        let joined = self.seat_newcomer(&mut inner, now, newcomer, to, link);
        self.unlock(inner, now);
        joined.map_err(|refusal| to_wire::refusal(&refusal, G::GAME_TYPE))
    }

    fn reconnect(
        &self,
        now: Time,
        returning: &Returning,
        to: Answering,
        link: &Link,
    ) -> Result<Option<Hold>, ErrorDetail> {
        let mut inner = self.lock(now);
        let outcome = self.seat_again(&mut inner, now, returning, to, link);
        self.unlock(inner, now);
        outcome
    }

    fn join_once_more(
        &self,
        now: Time,
        player: PlayerId,
        subject: Option<&str>,
        token: NewToken,
        to: Answering,
        link: &Link,
    ) -> Result<Option<Hold>, ErrorDetail> {
        let mut inner = self.lock(now);
        if let Some(seat) = inner.room.head().roster.seat(player)
            && let Err(error) = check_subject(seat, subject)
        {
            self.unlock(inner, now);
            return Err(error);
        }
        let outcome = self.seat_once_more(&mut inner, now, player, token, to, link);
        self.unlock(inner, now);
        outcome.map_err(|refusal| to_wire::refusal(&refusal, G::GAME_TYPE))
    }

    fn answer_again(&self, now: Time, player: PlayerId, to: Answering, link: &Link) -> bool {
        let Some(id) = to.id else { return false };
        match self.inner.lock().room.recall(now, player, id.get(), to.fingerprint) {
            Recall::Known(answer) => {
                self.answer(to, link, answer);
                true
            }
            Recall::New | Recall::Reused | Recall::Stale => false,
        }
    }

    fn disconnect(&self, now: Time, hold: Hold) {
        let mut inner = self.lock(now);
        if inner.feed.holds(hold) {
            inner.feed.detach(hold.player);
            self.settle(&mut inner, now, Command::Disconnect(hold.player));
        }
        self.unlock(inner, now);
    }

    fn handle(
        &self,
        now: Time,
        hold: Hold,
        request: SeatRequest<'_>,
        to: Answering,
        link: &Link,
    ) -> AfterRequest {
        match request {
            SeatRequest::Action(data) => self.act(now, hold, data, to, link),
            SeatRequest::Command(command) => self.command(now, hold, command, to, link),
            SeatRequest::State => self.state(now, hold, to, link),
        }
    }

    fn wake(self: Arc<Self>, now: Time) {
        let mut inner = self.inner.lock();
        inner.locked_at = Instant::now();
        // The driver has taken the entry out to call.
        inner.scheduled = None;
        self.catch_up(&mut inner, now);
        let turns = inner.room.due_bots(now);
        self.unlock(inner, now);

        for turn in turns {
            match turn.effort() {
                Effort::Inline => self.ask_bot(turn),
                Effort::Searching => {
                    let room = Arc::clone(&self);
                    self.shared.searches.spawn(move || room.ask_bot(turn));
                }
            }
        }
    }

    fn info(&self) -> RoomInfo {
        self.info_of(&self.view.snapshot())
    }

    fn number(&self) -> u64 {
        self.number
    }

    fn is_private(&self) -> bool {
        self.view.snapshot().settings.private
    }

    fn inspect(&self, events_max: usize) -> Inspection {
        let (snapshot, seq, events) = {
            let inner = self.inner.lock();
            (Arc::clone(inner.room.head()), inner.feed.seq(), inner.feed.recent(events_max))
        };
        Inspection {
            room: self.info_of(&snapshot),
            private: snapshot.settings.private,
            players: snapshot.roster.seats().map(to_wire::player).collect(),
            host: snapshot.roster.host().map(to_wire::player_id),
            version: snapshot.version,
            seq,
            state: to_value(&snapshot.state).unwrap_or_else(|| "it cannot be written out".into()),
            events,
        }
    }

    fn for_each_socket(&self, see: &mut dyn FnMut(PlayerId, &Arc<Outbox>)) {
        for member in self.inner.lock().feed.members() {
            see(member.hold.player, &member.outlet.outbox);
        }
    }

    fn kick(&self, now: Time, player: PlayerId, ban: bool) -> Result<(), ErrorDetail> {
        let mut inner = self.lock(now);
        let outcome = inner
            .room
            .apply(now, Command::Kick { by: None, player, ban })
            .and_then(|commit| self.publish(&mut inner, commit, |_| {}));
        self.unlock(inner, now);
        outcome.map(|_| ()).map_err(|refusal| to_wire::refusal(&refusal, G::GAME_TYPE))
    }

    fn is_played(&self) -> bool {
        let snapshot = self.view.snapshot();
        let is_played_by = |seat: &Seat| seat.kind() == SeatKind::Human && seat.is_present();
        snapshot.phase == Phase::Playing && snapshot.roster.seats().any(is_played_by)
    }

    fn players(&self) -> Vec<Player> {
        self.view.snapshot().roster.seats().map(to_wire::player).collect()
    }

    fn wait_for_players(&self, now: Time) {
        let inner = self.lock(now);
        // Under the lock, or an older offer could come after a newer one.
        self.shared.listings.put(self.offer(inner.room.head()));
        self.unlock(inner, now);
    }

    fn signal(&self, now: Time, signal: Signal) -> Result<u64, ErrorDetail> {
        let mut inner = self.lock(now);
        let outcome = inner
            .room
            .apply(now, Command::Signal(signal))
            .and_then(|commit| self.publish(&mut inner, commit, |_| {}));
        let seq = inner.feed.seq();
        self.unlock(inner, now);
        outcome.map(|_| seq).map_err(|refusal| to_wire::refusal(&refusal, G::GAME_TYPE))
    }

    fn lose(&self, now: Time) {
        let mut inner = self.lock(now);
        self.let_go(&mut inner);
        self.unlock(inner, now);
    }

    fn close(&self, now: Time, reason: CloseReason) {
        let mut inner = self.lock(now);
        self.settle(&mut inner, now, Command::Close(reason));
        self.unlock(inner, now);
    }
}

impl<G: Game> GameRoom<G> {
    /// Makes `room` reachable, for whoever is given it.
    ///
    /// Refused when the game's view of it breaks down, where it is asked for already.
    pub(super) fn around(
        room: Room<G>,
        code: RoomCode,
        number: u64,
        options: Arc<Object>,
        shared: Arc<Shared>,
    ) -> Result<Arc<Self>, Refusal> {
        let config = &shared.config;
        let rules = &room.charter().rules;
        let mut feed = Feed::new(shared.random.new_name(), config.history, rules);
        if !rules.spectator_delay.is_zero() {
            let tree = look(&room, room.head(), Viewer::Spectator)?;
            let key = room.view_key(Viewer::Spectator).map_err(Refusal::Failed)?;
            let roster = Arc::clone(&room.head().roster);
            let (by, bytes_max) = (rules.spectator_delay, config.delayed_bytes_max);
            feed.hold_back_from_spectators(Delay::new(by, bytes_max, key, roster, tree));
        }
        Ok(Arc::new_cyclic(|me| Self {
            code,
            number,
            options,
            view: room.view(),
            me: Weak::clone(me),
            inner: Mutex::new(Inner { room, feed, scheduled: None, locked_at: Instant::now() }),
            shared,
        }))
    }

    fn act(
        &self,
        now: Time,
        hold: Hold,
        data: RawData<'_>,
        to: Answering,
        link: &Link,
    ) -> AfterRequest {
        // Before the lock: nobody waits while this player's bytes are read.
        let decoded = catch_unwind(|| data.decode::<G::Action>())
            .map_err(|_| to_wire::internal(G::GAME_TYPE, "decoding an action panicked"))
            .and_then(|action| action.map_err(|f| ErrorDetail::validation_failed(&f)));
        let action = match decoded {
            Ok(action) => action,
            Err(error) => {
                link.refuse(to, &error);
                return AfterRequest::Attached;
            }
        };
        let origin = Origin::Request(to.id.map(RequestId::get));
        self.decide(now, hold, to, link, |room| room.act(now, hold.player, action, origin))
    }

    fn command(
        &self,
        now: Time,
        hold: Hold,
        command: Command,
        to: Answering,
        link: &Link,
    ) -> AfterRequest {
        self.decide(now, hold, to, link, |room| room.apply(now, command))
    }

    /// Lets the room decide on a seat's request, tells everyone, and answers.
    fn decide(
        &self,
        now: Time,
        hold: Hold,
        to: Answering,
        link: &Link,
        decide: impl FnOnce(&mut Room<G>) -> Result<Commit<G>, Refusal>,
    ) -> AfterRequest {
        let mut inner = self.lock(now);
        if !inner.feed.holds(hold) {
            self.unlock(inner, now);
            link.refuse(to, &not_in_room());
            return AfterRequest::Unattached;
        }

        // One that comes again is answered again, and not decided again.
        let recalled = match to.id {
            Some(id) => inner.room.recall(now, hold.player, id.get(), to.fingerprint),
            None => Recall::New,
        };
        match recalled {
            Recall::New => {}
            Recall::Known(answer) => {
                self.answer(to, link, answer);
                self.unlock(inner, now);
                return AfterRequest::Attached;
            }
            Recall::Reused => {
                self.unlock(inner, now);
                let error = ErrorDetail::new(ErrorCode::BAD_REQUEST, "this id had another request");
                link.refuse(to, &error.with_detail("reason", "id_reused"));
                return AfterRequest::Attached;
            }
            Recall::Stale => {
                self.unlock(inner, now);
                let message = "this id is too old to tell whether it was handled";
                link.refuse(to, &ErrorDetail::new(ErrorCode::STALE_REQUEST, message));
                return AfterRequest::Attached;
            }
        }

        let leaves = to.kind == RequestType::LeaveRoom;
        let outcome = decide(&mut inner.room).and_then(|commit| {
            self.publish(&mut inner, commit, |feed| {
                if leaves {
                    feed.detach(hold.player);
                }
            })
        });
        let answer = Answer { seq: inner.feed.seq(), outcome: outcome.map_err(Box::new) };
        if let Some(id) = to.id {
            inner.room.remember(now, hold.player, id.get(), to.fingerprint, answer.clone());
        }
        self.answer(to, link, answer);
        let after =
            if inner.feed.holds(hold) { AfterRequest::Attached } else { AfterRequest::Unattached };
        self.unlock(inner, now);
        after
    }

    /// Answers a request that the room has decided.
    fn answer(&self, to: Answering, link: &Link, answer: Answer) {
        let Answer { seq, outcome } = answer;
        match outcome {
            Ok(None) => link.answer_seq(to, seq),
            Ok(Some(bot)) => {
                let data = AddedBot { seq, player_id: to_wire::player_id(bot) };
                link.answer(to, &data).expect("numbers can be encoded");
            }
            Err(refusal) => link.refuse(to, &to_wire::refusal(&refusal, G::GAME_TYPE)),
        }
    }

    fn state(&self, now: Time, hold: Hold, to: Answering, link: &Link) -> AfterRequest {
        let mut inner = self.lock(now);
        let snapshot = Arc::clone(inner.room.head());
        let Some(seat) = snapshot.roster.seat(hold.player).filter(|_| inner.feed.holds(hold))
        else {
            self.unlock(inner, now);
            link.refuse(to, &not_in_room());
            return AfterRequest::Unattached;
        };
        if let Some(then) = inner.feed.then(seat.viewer()) {
            let (seq, version, phase) = (then.seq, then.version, then.phase);
            link.answer(to, &StateSnapshot { seq, version, phase, state: &then.tree })
                .expect("a tree can be encoded");
            inner.feed.was_told(hold.player, version, true);
            self.unlock(inner, now);
            return AfterRequest::Attached;
        }
        match look(&inner.room, &snapshot, seat.viewer()) {
            Ok(state) => {
                let (seq, version) = (inner.feed.seq(), snapshot.version);
                let phase = to_wire::phase(snapshot.phase);
                link.answer(to, &StateSnapshot { seq, version, phase, state })
                    .expect("a tree can be encoded");
                let is_shown = inner.feed.has_shown(version);
                inner.feed.was_told(hold.player, version, is_shown);
            }
            Err(refusal) => link.refuse(to, &to_wire::refusal(&refusal, G::GAME_TYPE)),
        }
        self.unlock(inner, now);
        AfterRequest::Attached
    }

    /// Lets a bot decide, without the lock, and brings its decision.
    fn ask_bot(&self, turn: BotTurn<G>) {
        let (bot, version) = (turn.player(), turn.version());
        let action = turn.try_decide().unwrap_or_else(|failure| {
            let (room, reference) = (self.code, crate::secrets::new_reference());
            tracing::error!(game_type = G::GAME_TYPE, %room, reference, %failure, "a bot broke down");
            None
        });

        let now = self.shared.clock.now();
        let mut inner = self.lock(now);
        match inner.room.answer(now, bot, version, action) {
            Ok(Some(commit)) => {
                if let Err(refusal) = self.publish(&mut inner, commit, |_| {}) {
                    tracing::error!(game_type = G::GAME_TYPE, %refusal, "a bot's action failed");
                }
            }
            Ok(None) | Err(Refusal::Stale) => {}
            // A bot that breaks the rules is a bug of the game's; it rests until the state changes.
            Err(refusal) => {
                tracing::warn!(game_type = G::GAME_TYPE, %refusal, "a bot's action was refused");
            }
        }
        self.unlock(inner, now);
    }

    /// Makes so what cannot be refused, unless the room is closed.
    fn settle(&self, inner: &mut Inner<G>, now: Time, command: Command) {
        let outcome =
            inner.room.apply(now, command).and_then(|commit| self.publish(inner, commit, |_| {}));
        match outcome {
            Ok(_) | Err(Refusal::Closed) => {}
            Err(refusal) => {
                tracing::error!(game_type = G::GAME_TYPE, %refusal, "a fact was refused");
            }
        }
    }

    /// Fires everything that is due, up to a bound; the driver calls for the rest.
    fn catch_up(&self, inner: &mut Inner<G>, now: Time) {
        for _ in 0..DEADLINES_PER_CALL_MAX {
            let Some(commit) = inner.room.advance(now) else { break };
            if let Some(due) = commit.step_due {
                self.shared.ticks.taken(due, now);
            }
            if commit.steps_skipped > 0 {
                self.shared.ticks.skipped(commit.steps_skipped);
            }
            if let Err(refusal) = self.publish(inner, commit, |_| {}) {
                tracing::error!(game_type = G::GAME_TYPE, %refusal, "a deadline was refused");
            }
        }
        inner.feed.deliver_late(now);
    }

    /// Locks the room and lets it catch up with `now`.
    fn lock(&self, now: Time) -> MutexGuard<'_, Inner<G>> {
        let mut inner = self.inner.lock();
        inner.locked_at = Instant::now();
        self.catch_up(&mut inner, now);
        inner
    }

    /// Lets what follows at once follow, releases the lock, and only then wakes the writers.
    fn unlock(&self, mut inner: MutexGuard<'_, Inner<G>>, now: Time) {
        self.catch_up(&mut inner, now);
        self.reschedule(&mut inner);
        let wakes = inner.feed.take_wakes();
        let locked_at = inner.locked_at;
        drop(inner);
        wakes.wake();
        self.took(locked_at.elapsed());
    }

    /// Takes note of how long the room was locked. A game that computes for long keeps its players waiting, and
    /// everyone else whom the thread would serve.
    fn took(&self, time: Duration) {
        self.shared.metrics.room_locked(time);
        if time > SLOW {
            self.shared.metrics.was_slow(G::GAME_TYPE);
            tracing::info!(game_type = G::GAME_TYPE, room = %self.code, ?time, "a change took long");
        }
    }

    /// Sees to it that the driver calls in time. Under the lock, so that the last word is the last.
    fn reschedule(&self, inner: &mut Inner<G>) {
        let due = [inner.room.wake_at(), inner.feed.late_due()];
        let Some(at) = due.into_iter().flatten().min() else { return };
        if inner.scheduled.is_some_and(|scheduled| scheduled <= at) {
            return;
        }
        let room: Weak<dyn AnyRoom> = self.me.clone();
        self.shared.driver.schedule(room, self.number, inner.scheduled, at);
        inner.scheduled = Some(at);
    }
}

/// The state as `viewer` sees it, ready for any codec.
pub(super) fn look<G: Game>(
    room: &Room<G>,
    snapshot: &Snapshot<G>,
    viewer: Viewer,
) -> Result<Tree, Refusal> {
    let view = room.look(snapshot, viewer).map_err(Refusal::Failed)?;
    let mut tree = Tree::default();
    read_tree(&view, &mut tree).map_err(not_encodable)?;
    Ok(tree)
}

pub(super) fn not_encodable(error: Unencodable) -> Refusal {
    let fault = Fault::NotEncodable(error.to_string());
    Refusal::Failed(Failure { callback: "view", fault })
}

pub(crate) fn not_in_room() -> ErrorDetail {
    ErrorDetail::new(ErrorCode::NOT_IN_ROOM, "this connection is in no room")
}

/// How long a change of a room may take before it is told of.
const SLOW: Duration = Duration::from_millis(5);
/// Deadlines that one call may fire. A room that was not called for long gets the rest at its next
/// calls.
const DEADLINES_PER_CALL_MAX: usize = 256;
