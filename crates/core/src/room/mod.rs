//! A room: one game, one state, one writer.
//!
//! [`Room`] owns the state and is the only thing that changes it. A change is decided on a private
//! draft by [`Room::apply`] or [`Room::advance`], which give a [`Commit`]; nobody sees it before
//! [`Room::publish`]. What each command does stands beside its subject: `seats`, `play`, `host`,
//! `facts`; how a change is put together, and kept from going half-way, stands in `draft`.

mod bots;
mod draft;
mod facts;
mod host;
mod play;
mod saved;
mod seats;
mod steps;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::answers::{Answered, Answers};
use crate::commit::{Books, Head};
use crate::random::RandomStream;
use crate::sync::Shown;
use crate::{
    Answer, Charter, ChatLine, CloseReason, Command, Commit, Digest, Failure, Fault, Game,
    GameError, Origin, Phase, PlayerId, Recall, Refusal, RoomView, SPECTATOR_DELAY_MAX, Seat, Seed,
    Settings, Snapshot, Time, ViewKey, Viewer,
};

pub use bots::BotTurn;
pub(crate) use facts::Fact;
pub use host::BANS_MAX;
pub use saved::SavedRoom;

use bots::Bots;
use draft::Draft;

/// How long a host may be away before somebody else is host.
pub const HOST_AWAY_MAX: Duration = Duration::from_secs(10);

/// Callbacks that may fail in a row, where nothing can be refused, before the room closes.
pub const FAILURES_IN_A_ROW_MAX: u32 = 10;

/// One game being played, from the lobby to the end. The only writer of its state.
///
/// A plain value: `&mut self` is the lock. Not `Clone`, so versions have no gaps and commits leave
/// in the order they were made.
pub struct Room<G: Game> {
    game: Arc<G>,
    charter: Arc<Charter<G>>,
    /// The newest state, perhaps not yet published.
    head: Head<G>,
    published: Arc<ArcSwap<Snapshot<G>>>,
    bots: Bots<G>,
    answers: Answers,
    /// A state that no reader holds any more, to make the next draft in.
    spare: Option<Arc<G::State>>,
}

/// What a room is made from.
#[derive(Debug)]
pub struct Setup<G: Game> {
    /// What the creator chose.
    pub options: G::Options,
    /// Fewer seats than the game's rules offer, if the creator wants that.
    pub players_max: Option<u16>,
    /// What the host may change later.
    pub settings: Settings,
    /// How long the room is kept for its first player, who is not there yet. By default as long as a
    /// room outlives its last.
    pub kept_for: Option<Duration>,
    /// Where the room's random numbers come from: the operating system's generator, but in tests.
    pub seed: Seed,
    /// The time.
    pub now: Time,
}

/// Why a room could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CreateError {
    /// The number of seats asked for is not within what the game allows.
    #[error("this game takes {min} to {max} players")]
    PlayersMax {
        /// The fewest.
        min: u16,
        /// The most.
        max: u16,
    },
    /// The game refused.
    #[error(transparent)]
    Game(GameError),
    /// A callback broke down.
    #[error("a callback failed")]
    Failed(Failure),
}

impl<G: Game> Setup<G> {
    /// A public room with all the seats that the game's rules offer.
    pub fn new(options: G::Options, seed: Seed, now: Time) -> Self {
        let settings = Settings::default();
        Self { options, players_max: None, settings, kept_for: None, seed, now }
    }
}

impl<G: Game> Room<G> {
    /// A room in its lobby, without anyone in it.
    pub fn create(game: Arc<G>, setup: Setup<G>) -> Result<Self, CreateError> {
        let Setup { options, players_max, settings, kept_for, seed, now } = setup;
        let mut rules = draft::guarded(|| Ok(game.rules(&options)))
            .map_err(|fault| CreateError::Failed(Failure { callback: "rules", fault }))?;
        rules.spectator_delay = rules.spectator_delay.min(SPECTATOR_DELAY_MAX);
        if let Some(wanted) = players_max {
            let (min, max) = (rules.players_min, rules.players_max);
            if !(min..=max).contains(&wanted) {
                return Err(CreateError::PlayersMax { min, max });
            }
            rules.players_max = wanted;
        }

        let mut books = Books {
            timers: Default::default(),
            random: RandomStream::new(seed),
            chat: Default::default(),
            banned: Default::default(),
            next_player: PlayerId::FIRST,
            host_until: None,
            empty_until: Some(now + kept_for.unwrap_or(rules.close_empty_after)),
            is_reserved: kept_for.is_some(),
            finished_until: None,
            closed: None,
            start_failed: false,
        };
        let state =
            draft::first_state(&*game, &options, now, &mut books).map_err(|fault| match fault {
                Fault::Refused(error) => CreateError::Game(error),
                fault => CreateError::Failed(Failure { callback: "setup", fault }),
            })?;

        let snapshot = Arc::new(Snapshot {
            version: 0,
            phase: Phase::Lobby,
            state: Arc::new(state),
            roster: Default::default(),
            settings: Arc::new(settings),
        });
        let charter = Arc::new(Charter { options, rules, created_at: now });
        let mut head = Head {
            snapshot,
            books: Arc::new(books),
            clock: now,
            failures: 0,
            ticks: None,
            gathered: None,
            shown: Shown::default(),
            wake_at: None,
        };
        head.reschedule(&charter);
        Ok(Self::assemble(game, charter, head, Answers::default()))
    }

    fn assemble(game: Arc<G>, charter: Arc<Charter<G>>, head: Head<G>, answers: Answers) -> Self {
        let published = Arc::new(ArcSwap::new(Arc::clone(&head.snapshot)));
        Self { game, charter, head, published, bots: Bots::default(), answers, spare: None }
    }

    /// Decides on `command`, or leaves the room untouched and says why not.
    ///
    /// Let [`advance`](Self::advance) fire what was due before `now` first. Nobody sees the outcome
    /// before [`publish`](Self::publish).
    pub fn apply(&mut self, now: Time, command: Command) -> Result<Commit<G>, Refusal> {
        match Fact::of(&command) {
            Some(fact) => self.settle(now, fact),
            None => self.transact(now, |draft| draft.decide(command)),
        }
    }

    /// Lets `player`, human or bot, act in the game. Otherwise the same as [`apply`](Self::apply).
    ///
    /// What a bot decided is refused when the state has moved on since, but in a game that steps. Where
    /// actions are [gathered](crate::Actions::Gathered) it waits for the next step.
    pub fn act(
        &mut self,
        now: Time,
        player: PlayerId,
        action: G::Action,
        origin: Origin,
    ) -> Result<Commit<G>, Refusal> {
        self.transact(now, |draft| draft.act(player, action, origin))
    }

    /// Fires the earliest deadline that is due at `now`, at its own time. `None` when none is.
    ///
    /// Each deadline is a change of its own: publish it before asking for the next.
    pub fn advance(&mut self, now: Time) -> Option<Commit<G>> {
        let (at, fact) = self.head.due(&self.charter, now)?;
        if fact == Fact::Tick && self.head.gathered.is_some() {
            return Some(self.apply_gathered(at));
        }
        match self.settle(at, fact) {
            Ok(commit) => Some(commit),
            Err(refusal) => unreachable!("a deadline cannot be refused: {refusal}"),
        }
    }

    /// Shows `commit` to readers. The only place that swaps; call it in the order of the commits.
    pub fn publish(&mut self, commit: Commit<G>) {
        let Commit { before, after, left, .. } = commit;
        for player in left {
            self.answers.depart(after.clock, player);
        }
        self.bots.see(&*self.game, &before.snapshot, &after.snapshot, after.clock);
        if Arc::ptr_eq(&before.snapshot, &after.snapshot) {
            return;
        }
        let retired = self.published.swap(after.snapshot);
        drop(before);
        // Without a reader the old state is free, and the next draft is made in its place.
        self.spare = Arc::into_inner(retired).map(|snapshot| snapshot.state);
    }

    /// Undoes `commit`, the newest that is not published, as if it had never been.
    ///
    /// The request that it came of is as new as before: [`remember`](Self::remember) comes only
    /// after [`publish`](Self::publish).
    pub fn put_back(&mut self, commit: Commit<G>) {
        self.undo(commit);
        // A bot whose action this was will not see its outcome.
        if self.published.load().phase == Phase::Playing {
            self.bots.think_again(self.head.clock);
        }
    }

    /// Undoes `commit`, whose events or views could not be encoded, and does again without the
    /// game's part what cannot be refused. The rest is refused.
    pub fn drop_game_part(
        &mut self,
        commit: Commit<G>,
        error: String,
    ) -> Result<Commit<G>, Refusal> {
        let (fact, now) = (commit.fact, commit.after.clock);
        // A bot whose action this was would only decide on the same again: it rests.
        self.undo(commit);
        let failure = Failure { callback: "serialize", fault: Fault::NotEncodable(error) };
        match fact {
            Some(fact) => self.settle_without_game(now, fact, failure),
            None => Err(Refusal::Failed(failure)),
        }
    }

    /// What has become of the request of `player`'s with this id, for the request to be decided
    /// only if it is new. `fingerprint` tells it from others: a hash of its type and data.
    ///
    /// Between its decision and its publication a request is still new. Who holds publication back
    /// holds back that player's next request as well.
    pub fn recall(&self, now: Time, player: PlayerId, id: u64, fingerprint: u64) -> Recall {
        self.answers.recall(now.max(self.head.clock), player, id, fingerprint)
    }

    /// Keeps the answer to a request of `player`'s: at its publication, or when it is refused.
    ///
    /// An answer that may be another the next time is not kept ([`Refusal::Failed`],
    /// [`Refusal::UnknownBotLevel`]). The bounds are [`ANSWERS_PER_SEAT_MAX`] and, for a player
    /// who has left, [`ANSWERS_AFTER_LEAVING`] and [`DEPARTED_MAX`].
    ///
    /// [`ANSWERS_PER_SEAT_MAX`]: crate::ANSWERS_PER_SEAT_MAX
    /// [`ANSWERS_AFTER_LEAVING`]: crate::ANSWERS_AFTER_LEAVING
    /// [`DEPARTED_MAX`]: crate::DEPARTED_MAX
    pub fn remember(
        &mut self,
        now: Time,
        player: PlayerId,
        id: u64,
        fingerprint: u64,
        answer: Answer,
    ) {
        let now = now.max(self.head.clock);
        let is_seated = self.head.snapshot.roster.seat(player).is_some();
        self.answers.remember(now, player, is_seated, Answered { id, fingerprint, answer });
    }

    /// The highest id that is remembered of the player's seat; 0 before the first.
    pub fn last_id(&self, player: PlayerId) -> u64 {
        self.answers.last_id(player)
    }

    /// Read access, for anyone.
    pub fn view(&self) -> RoomView<G> {
        RoomView::new(Arc::clone(&self.charter), Arc::clone(&self.published))
    }

    /// The game played here.
    pub fn game(&self) -> &Arc<G> {
        &self.game
    }

    /// What about the room never changes.
    pub fn charter(&self) -> &Charter<G> {
        &self.charter
    }

    /// The newest state, perhaps not yet published. For the writer; readers have
    /// [`view`](Self::view).
    pub fn head(&self) -> &Arc<Snapshot<G>> {
        &self.head.snapshot
    }

    /// The last lines of chat that `viewer` may hear, oldest first.
    pub fn chat(&self, viewer: Viewer) -> impl Iterator<Item = &ChatLine> {
        let hears = move |line: &&ChatLine| !line.is_aside || viewer == Viewer::Spectator;
        self.head.books.chat.lines().filter(hears)
    }

    /// The seat whose human holds the token with this digest.
    pub fn seat_by_token(&self, token: &Digest) -> Option<&Seat> {
        self.head.snapshot.roster.seat_by_token(token)
    }

    /// The digests of the tokens that hold a seat.
    pub fn tokens(&self) -> impl Iterator<Item = Digest> {
        self.head.snapshot.roster.seats().filter_map(|seat| seat.token)
    }

    /// What `viewer` sees of `snapshot`, or how the game's `view` broke down.
    pub fn look(&self, snapshot: &Snapshot<G>, viewer: Viewer) -> Result<G::View, Failure> {
        draft::guarded(|| Ok(self.game.view(&snapshot.state, viewer)))
            .map_err(|fault| Failure { callback: "view", fault })
    }

    /// Whose view `viewer` shares, or how the game's `view_key` broke down.
    pub fn view_key(&self, viewer: Viewer) -> Result<ViewKey, Failure> {
        draft::guarded(|| Ok(self.game.view_key(viewer)))
            .map_err(|fault| Failure { callback: "view_key", fault })
    }

    /// When the room next wants to be called: for [`advance`](Self::advance) or
    /// [`due_bots`](Self::due_bots).
    pub fn wake_at(&self) -> Option<Time> {
        match (self.closed(), &self.head.ticks) {
            (Some(_), _) => None,
            // Bots are asked at steps.
            (None, Some(_)) => self.head.wake_at,
            (None, None) => [self.head.wake_at, self.bots.wake_at()].into_iter().flatten().min(),
        }
    }

    /// Why the room has ended, if it has.
    pub fn closed(&self) -> Option<CloseReason> {
        self.head.books.closed
    }

    fn undo(&mut self, commit: Commit<G>) {
        debug_assert!(Arc::ptr_eq(&self.head.snapshot, &commit.after.snapshot), "newest first");
        self.head = commit.before;
    }

    /// Lets `decide` work on a draft and takes the result over as the new head.
    fn transact(
        &mut self,
        now: Time,
        decide: impl FnOnce(&mut Draft<'_, G>) -> Result<(), Refusal>,
    ) -> Result<Commit<G>, Refusal> {
        if self.head.books.closed.is_some() {
            return Err(Refusal::Closed);
        }
        let now = now.max(self.head.clock);
        let mut draft = Draft::new(&*self.game, &self.charter, &self.head, now, self.spare.take());
        decide(&mut draft)?;
        let commit = draft.commit()?;
        self.head = commit.after.clone();
        Ok(commit)
    }
}

impl<G: Game> fmt::Debug for Room<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("head", &self.head).finish_non_exhaustive()
    }
}
