//! The adapter between a [`Room`] of some game and the gateway.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, MutexGuard};
use parlor_core::{
    BotTurn, CloseReason, Command, Commit, Digest, Effort, Game, PlayerId, Refusal, Room, RoomView,
    SeatKind, Settings, Setup, Snapshot, Time,
};
use parlor_protocol::{
    AddedBot, Codec, ErrorCode, ErrorDetail, GameSummary, Object, RawData, RequestType, RoomCode,
    RoomInfo, StateSnapshot, decode_value,
};
use serde_json::Value;

use super::{AfterRequest, AnyGame, AnyRoom, Newcomer, SeatRequest};
use crate::encode::{Answering, Link};
use crate::feed::{Feed, Hold};
use crate::listing::Offer;
use crate::shared::Shared;
use crate::{secrets, to_wire};

/// One room with everything that sends for it.
pub(crate) struct GameRoom<G: Game> {
    pub(super) code: RoomCode,
    /// Rises from room to room.
    number: u64,
    /// As listings show them.
    options: Object,
    view: RoomView<G>,
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
    scheduled: Option<Time>,
}

/// What a room is made from.
pub(crate) struct NewRoom {
    pub(crate) code: RoomCode,
    pub(crate) number: u64,
    pub(crate) options: Object,
    pub(crate) players_max: Option<u32>,
    pub(crate) settings: Settings,
    pub(crate) shared: Arc<Shared>,
}

/// A game that rooms can be made of.
pub(crate) struct GameEntry<G>(pub(crate) Arc<G>);

impl<G: Game> AnyGame for GameEntry<G> {
    fn game_type(&self) -> &'static str {
        G::GAME_TYPE
    }

    fn summary(&self) -> GameSummary {
        let about = self.0.about();
        GameSummary {
            game_type: G::GAME_TYPE.into(),
            title: about.title.into(),
            min_players: about.players_min.into(),
            max_players: about.players_max.into(),
            bots: !about.bot_levels.is_empty(),
            realtime: false,
        }
    }

    fn read_options(&self, options: Object) -> Result<Object, ErrorDetail> {
        let options = decode_options::<G>(options)?;
        match catch_unwind(AssertUnwindSafe(|| serde_json::to_value(&options))) {
            Ok(Ok(Value::Object(options))) => Ok(options),
            Ok(Ok(_)) => Err(to_wire::internal(G::GAME_TYPE, "options are not an object")),
            Ok(Err(error)) => Err(to_wire::internal(G::GAME_TYPE, &error)),
            Err(_) => Err(to_wire::internal(G::GAME_TYPE, "encoding options panicked")),
        }
    }

    fn create(&self, now: Time, new: NewRoom) -> Result<Arc<dyn AnyRoom>, ErrorDetail> {
        let setup = Setup {
            options: decode_options::<G>(new.options.clone())?,
            players_max: new.players_max.map(|max| u16::try_from(max).unwrap_or(u16::MAX)),
            settings: new.settings,
            seed: secrets::new_seed(),
            now,
        };
        let room = Room::create(Arc::clone(&self.0), setup)
            .map_err(|error| to_wire::create_error(&error, G::GAME_TYPE))?;
        Ok(Arc::new_cyclic(|me| GameRoom {
            code: new.code,
            number: new.number,
            options: new.options,
            view: room.view(),
            shared: new.shared,
            me: Weak::clone(me),
            inner: Mutex::new(Inner {
                room,
                feed: Feed::new(secrets::new_name()),
                scheduled: None,
            }),
        }))
    }
}

impl<G: Game> AnyRoom for GameRoom<G> {
    fn code(&self) -> RoomCode {
        self.code
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
        token: &Digest,
        to: Answering,
        link: &Link,
    ) -> Result<Option<Hold>, ErrorDetail> {
        let mut inner = self.lock(now);
        let outcome = self.seat_again(&mut inner, now, token, to, link);
        self.unlock(inner, now);
        outcome.map_err(|refusal| to_wire::refusal(&refusal, G::GAME_TYPE))
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

    fn close(&self, now: Time, reason: CloseReason) {
        let mut inner = self.lock(now);
        self.settle(&mut inner, now, Command::Close(reason));
        self.unlock(inner, now);
    }
}

impl<G: Game> GameRoom<G> {
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
        self.decide(now, hold, to, link, |room| room.act(now, hold.player, action, None))
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

        let leaves = to.kind == RequestType::LeaveRoom;
        let outcome = decide(&mut inner.room).and_then(|commit| {
            self.publish(&mut inner, commit, |feed| {
                if leaves {
                    feed.detach(hold.player);
                }
            })
        });
        match outcome {
            Ok(Some(bot)) => {
                let data = AddedBot { seq: inner.feed.seq(), player_id: to_wire::player_id(bot) };
                link.answer(to, &data).expect("numbers can be encoded");
            }
            Ok(None) => link.answer_seq(to, inner.feed.seq()),
            Err(refusal) => link.refuse(to, &to_wire::refusal(&refusal, G::GAME_TYPE)),
        }
        let after =
            if inner.feed.holds(hold) { AfterRequest::Attached } else { AfterRequest::Unattached };
        self.unlock(inner, now);
        after
    }

    fn state(&self, now: Time, hold: Hold, to: Answering, link: &Link) -> AfterRequest {
        let inner = self.lock(now);
        let snapshot = inner.room.head();
        let Some(seat) = snapshot.roster.seat(hold.player).filter(|_| inner.feed.holds(hold))
        else {
            self.unlock(inner, now);
            link.refuse(to, &not_in_room());
            return AfterRequest::Unattached;
        };
        let outcome = inner.room.look(snapshot, seat.viewer()).map_err(Refusal::Failed);
        let answered = outcome.map(|state| {
            link.answer(
                to,
                &StateSnapshot {
                    seq: inner.feed.seq(),
                    version: snapshot.version,
                    phase: to_wire::phase(snapshot.phase),
                    state,
                },
            )
        });
        match answered {
            Ok(Ok(())) => {}
            Ok(Err(error)) => link.refuse(to, &to_wire::internal(G::GAME_TYPE, &error)),
            Err(refusal) => link.refuse(to, &to_wire::refusal(&refusal, G::GAME_TYPE)),
        }
        self.unlock(inner, now);
        AfterRequest::Attached
    }

    /// Lets a bot decide, without the lock, and brings its decision.
    fn ask_bot(&self, turn: BotTurn<G>) {
        let (bot, version) = (turn.player(), turn.version());
        let action = turn.decide();

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
            let Some(commit) = inner.room.advance(now) else { return };
            if let Err(refusal) = self.publish(inner, commit, |_| {}) {
                tracing::error!(game_type = G::GAME_TYPE, %refusal, "a deadline was refused");
            }
        }
    }

    /// Shows `commit` to readers and tells everyone. Gives the player whom it seated.
    ///
    /// `detach` may let go of a socket before anyone is told.
    fn publish(
        &self,
        inner: &mut Inner<G>,
        commit: Commit<G>,
        detach: impl FnOnce(&mut Feed),
    ) -> Result<Option<PlayerId>, Refusal> {
        let commit = self.stage(inner, commit, None)?;
        let seated = commit.seated;
        self.show(inner, commit, detach);
        Ok(seated)
    }

    /// Makes `commit` ready to be shown, without its game's part if that cannot be encoded. Refused
    /// when nothing would be left of it.
    ///
    /// `joining` is the codec of a socket that will be attached before anyone is told.
    pub(super) fn stage(
        &self,
        inner: &mut Inner<G>,
        mut commit: Commit<G>,
        joining: Option<Codec>,
    ) -> Result<Commit<G>, Refusal> {
        let info = |commit: &Commit<G>| self.info_of(commit.snapshot());
        if let Err(error) = inner.feed.stage(self.code, &commit, joining, || info(&commit)) {
            commit = inner.room.drop_game_part(commit, error.to_string())?;
            if let Err(error) = inner.feed.stage(self.code, &commit, joining, || info(&commit)) {
                // Without the game's part it is our own plain data.
                tracing::error!(game_type = G::GAME_TYPE, %error, "a room's event was not encoded");
            }
        }
        if let Some(failure) = &commit.failure {
            let reference = secrets::new_name();
            tracing::error!(game_type = G::GAME_TYPE, reference, %failure, "a callback failed");
        }
        Ok(commit)
    }

    /// Shows a staged commit to readers and tells everyone: the only way out of a room.
    ///
    /// `attach` may add or remove a socket after the commit is published and before anyone is told.
    pub(super) fn show(
        &self,
        inner: &mut Inner<G>,
        commit: Commit<G>,
        attach: impl FnOnce(&mut Feed),
    ) {
        for token in &commit.departed {
            self.shared.sessions.forget(*token);
        }
        if commit.changes_roster() {
            inner.feed.follow_roster(&commit.snapshot().roster);
        }
        let relisted = commit.changes_listing().then(|| Arc::clone(commit.snapshot()));
        let closed = commit.closed();

        inner.room.publish(commit);
        attach(&mut inner.feed);
        inner.feed.deliver(&**inner.room.game());

        if closed.is_some() {
            self.forget(inner);
        } else if let Some(snapshot) = relisted {
            self.shared.listings.put(self.offer(&snapshot));
        }
    }

    /// The room has closed: nobody finds it any more.
    fn forget(&self, inner: &mut Inner<G>) {
        inner.feed.close();
        self.shared.rooms.remove(&self.code);
        self.shared.listings.remove(G::GAME_TYPE, self.code);
        for token in inner.room.tokens() {
            self.shared.sessions.room_closed(&token);
        }
        if let Some(at) = inner.scheduled.take() {
            self.shared.driver.cancel(self.number, at);
        }
    }

    fn offer(&self, snapshot: &Snapshot<G>) -> Offer {
        Offer {
            game_type: G::GAME_TYPE,
            number: self.number,
            is_public: !snapshot.settings.private,
            info: self.info_of(snapshot),
        }
    }

    fn info_of(&self, snapshot: &Snapshot<G>) -> RoomInfo {
        let rules = &self.view.charter().rules;
        let count = |kind| u32::try_from(snapshot.count(kind)).unwrap_or(u32::MAX);
        let (humans, bots) = (count(SeatKind::Human), count(SeatKind::Bot));
        RoomInfo {
            room_id: self.code,
            game_type: G::GAME_TYPE.into(),
            player_count: humans + bots,
            bot_count: bots,
            max_players: rules.players_max.into(),
            spectator_count: count(SeatKind::Spectator),
            phase: to_wire::phase(snapshot.phase),
            has_password: snapshot.settings.password.is_some(),
            locked: snapshot.settings.locked,
            joinable: snapshot.is_joinable(rules),
            options: self.options.clone(),
            metadata: to_wire::metadata(&snapshot.settings.metadata),
            created_at: to_wire::millis(self.view.charter().created_at),
        }
    }

    /// Locks the room and lets it catch up with `now`.
    fn lock(&self, now: Time) -> MutexGuard<'_, Inner<G>> {
        let mut inner = self.inner.lock();
        self.catch_up(&mut inner, now);
        inner
    }

    /// Lets what follows at once follow, releases the lock, and only then wakes the writers.
    fn unlock(&self, mut inner: MutexGuard<'_, Inner<G>>, now: Time) {
        self.catch_up(&mut inner, now);
        self.reschedule(&mut inner);
        let members = inner.feed.members();
        drop(inner);
        members.wake();
    }

    /// Sees to it that the driver calls in time. Under the lock, so that the last word is the last.
    fn reschedule(&self, inner: &mut Inner<G>) {
        let Some(at) = inner.room.wake_at() else { return };
        if inner.scheduled.is_some_and(|scheduled| scheduled <= at) {
            return;
        }
        let room: Weak<dyn AnyRoom> = self.me.clone();
        self.shared.driver.schedule(room, self.number, inner.scheduled, at);
        inner.scheduled = Some(at);
    }
}

/// A type's own `Deserialize` is the game's code, which may panic.
fn decode_options<G: Game>(options: Object) -> Result<G::Options, ErrorDetail> {
    catch_unwind(|| decode_value(Value::Object(options)))
        .map_err(|_| to_wire::internal(G::GAME_TYPE, "decoding options panicked"))?
        .map_err(|fields| ErrorDetail::validation_failed(&fields.within("options")))
}

pub(crate) fn not_in_room() -> ErrorDetail {
    ErrorDetail::new(ErrorCode::NOT_IN_ROOM, "this connection is in no room")
}

/// Deadlines that one call may fire. A room that was not called for long gets the rest at its next
/// calls.
const DEADLINES_PER_CALL_MAX: usize = 256;
