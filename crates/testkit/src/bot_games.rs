//! Whole games that bots play among themselves, and what must hold in them.

use std::fmt;
use std::sync::Arc;

use parlor_core::rand::seq::IndexedRandom as _;
use parlor_core::rand::{RngExt as _, SeedableRng as _};
use parlor_core::{
    Bot, Command, Digest, Game, GameRng, Join, Phase, PlayerId, SeatKind, Setup, StartRule,
};

use crate::Playroom;
use crate::playroom::{BEGINNING, seed_of};

/// Games that bots play to their end, one for each seed.
///
/// The first player of a game is a person, as a room needs one; a bot of the first level decides for it, after
/// the same time to think. The others are bots.
///
/// A game that fails prints its seed and how to play it alone: `PARLOR_GAME_SEED`. `PARLOR_GAMES=10` plays ten
/// times as many.
///
/// ```
/// # use parlor_core::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Default)] struct Count;
/// # #[derive(Clone, Default, Serialize, Deserialize)] struct Options {}
/// # #[derive(Clone, Default, Serialize, Deserialize)] struct State { total: i64, last: Option<PlayerId> }
/// # impl Game for Count {
/// #     const GAME_TYPE: &'static str = "count";
/// #     type Options = Options; type State = State; type Action = i64; type Event = Never;
/// #     type View = State; type Timer = Never; type Outcome = PlayerId;
/// #     fn about(&self) -> About { About::new("Count", 1, 2) }
/// #     fn rules(&self, _: &Options) -> Rules { Rules::seats(2, 2) }
/// #     fn setup(&self, _: &Options, _: &mut Ctx<'_, Self>) -> Result<State, GameError> { Ok(State::default()) }
/// #     fn on_action(&self, s: &mut State, by: PlayerId, count: i64, ctx: &mut Ctx<'_, Self>) -> Result<(), GameError> {
/// #         s.total += count;
/// #         if s.total >= 10 { ctx.finish(by); }
/// #         Ok(())
/// #     }
/// #     fn view(&self, state: &State, _: Viewer) -> State { state.clone() }
/// # }
/// use parlor_core::rand::RngExt as _;
/// use parlor_testkit::{BotGames, moves};
///
/// // The game has no bots of its own, so that the moves come from here.
/// let winners = BotGames::<Count>::new(Options {})
///     .games(20)
///     .people(2, moves(|_view, _me, rng| Some(rng.random_range(1..=3))))
///     .run(|room| assert!(room.state().total >= room.before().state.total));
/// assert_eq!(winners.len(), 20);
/// ```
pub struct BotGames<G: Game> {
    game: Arc<G>,
    options: Box<ChooseOptions<G>>,
    seats: Seats<G>,
    seed: u64,
    games: u64,
    steps_max: usize,
    with_unrest: bool,
    is_thorough: bool,
}

type ChooseOptions<G> = dyn Fn(&mut GameRng) -> <G as Game>::Options;

/// Who plays.
enum Seats<G: Game> {
    /// As many as the rules allow, of any of the game's levels.
    Any,
    /// Bots of these levels, the first of which decides for a person.
    Levels(Vec<String>),
    /// So many people, for whom this decides.
    People(usize, Arc<dyn Bot<G>>),
}

impl<G: Game + Default> BotGames<G> {
    /// A hundred games with these options, of as many players and such levels as the seed says.
    pub fn new(options: G::Options) -> Self {
        Self::of(G::default(), options)
    }
}

impl<G: Game> BotGames<G> {
    /// The same for a game that has no default.
    pub fn of(game: G, options: G::Options) -> Self {
        Self::of_shared(Arc::new(game), options)
    }

    pub(crate) fn of_shared(game: Arc<G>, options: G::Options) -> Self {
        Self {
            game,
            options: Box::new(move |_| options.clone()),
            seats: Seats::Any,
            seed: 0,
            games: 100,
            steps_max: 20_000,
            with_unrest: false,
            is_thorough: false,
        }
    }

    /// Chooses each game's options by its seed.
    #[must_use]
    pub fn options(mut self, choose: impl Fn(&mut GameRng) -> G::Options + 'static) -> Self {
        self.options = Box::new(choose);
        self
    }

    /// Seats bots of these levels, in this order. The first decides for player 1, who is a person.
    #[must_use]
    pub fn bots<L: Into<String>>(mut self, levels: impl IntoIterator<Item = L>) -> Self {
        self.seats = Seats::Levels(levels.into_iter().map(Into::into).collect());
        self
    }

    /// Seats so many people and lets `mind` decide for each: for games without bots, and for moves that no
    /// bot would make. See [`moves`].
    #[must_use]
    pub fn people(mut self, count: usize, mind: Arc<dyn Bot<G>>) -> Self {
        self.seats = Seats::People(count, mind);
        self
    }

    /// How many games. Defaults to 100; `PARLOR_GAMES` multiplies it.
    #[must_use]
    pub fn games(mut self, games: u64) -> Self {
        self.games = games;
        self
    }

    /// The first game's seed; each other's is one higher. Defaults to 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many steps a game may take, each a change or a bot that waits. Defaults to 20 000.
    #[must_use]
    pub fn steps_max(mut self, steps: usize) -> Self {
        self.steps_max = steps;
        self
    }

    /// Lets people come to watch, join where the rules allow it, lose their connection, come back and leave
    /// while the game is on. Then a game may also end for want of people.
    #[must_use]
    pub fn with_unrest(mut self) -> Self {
        self.with_unrest = true;
        self
    }

    pub(crate) fn thorough(mut self) -> Self {
        self.is_thorough = true;
        self
    }

    /// Plays the games, and calls `check` after every change in each of them. Gives how they ended.
    ///
    /// `check` looks at the room as it is and, by [`before`](Playroom::before) and
    /// [`view_before`](Playroom::view_before), as it was; [`take_events`](Playroom::take_events) has the
    /// events of that change.
    ///
    /// Fails when a game does not end, a bot breaks the rules, a callback fails, or a game that is played again
    /// (the first one and every eighth) goes another way.
    #[track_caller]
    pub fn run(&self, mut check: impl FnMut(&mut Playroom<G>)) -> Vec<G::Outcome> {
        let mut outcomes = Vec::new();
        for seed in self.seeds() {
            let replayable = Replayable { seed };
            let room = self.play(seed, &mut check);
            if seed.wrapping_sub(self.seed).is_multiple_of(8) || chosen_seed().is_some() {
                room.check_replays();
                let again = self.play(seed, &mut |_| {});
                if room.saved() != again.saved() {
                    room.fail(
                        "played again from its seed, it goes another way: what bots decide may only depend on their \
                         view and their own random numbers",
                    );
                }
            }
            outcomes.extend(room.outcome().cloned());
            drop(replayable);
        }
        outcomes
    }

    fn seeds(&self) -> Vec<u64> {
        if let Some(seed) = chosen_seed() {
            return vec![seed];
        }
        let times = variable("PARLOR_GAMES").unwrap_or(1);
        let games = self.games.saturating_mul(times);
        (0..games).map(|number| self.seed.wrapping_add(number)).collect()
    }

    #[track_caller]
    fn play(&self, seed: u64, check: &mut dyn FnMut(&mut Playroom<G>)) -> Playroom<G> {
        // What is chosen about a game comes from its seed alone, so that the seed is enough to play it again.
        let mut rng = GameRng::seed_from_u64(seed);
        let mut room = self.room(seed, &mut rng);
        room.keep_nothing_sent();
        room.is_thorough = self.is_thorough;
        self.seat(&mut room, &mut rng);
        self.begin(&mut room);
        check(&mut room);
        let mut unrest = if self.with_unrest { UNREST } else { 0 };
        for step in 0..self.steps_max {
            if room.outcome().is_some() || room.room().closed().is_some() {
                return room;
            }
            room.take_events();
            let Some(next) = room.next_due() else {
                room.fail("the game does not end: nobody moves, and nothing is due")
            };
            if unrest > 0 && rng.random_ratio(1, if step < 100 { 6 } else { 100 }) {
                unrest -= 1;
                disturb(&mut room, &mut rng);
                check(&mut room);
            } else if room.change(next) {
                check(&mut room);
            }
        }
        room.fail(&format!("the game does not end within {} steps", self.steps_max))
    }

    #[track_caller]
    fn room(&self, seed: u64, rng: &mut GameRng) -> Playroom<G> {
        let options = (self.options)(rng);
        let rules = self.game.rules(&options);
        let (min, max) = (rules.players_min.max(1), rules.players_max.max(1));
        let count = match &self.seats {
            Seats::Any => rng.random_range(min..=max.min(min.saturating_add(5))),
            Seats::Levels(levels) => u16::try_from(levels.len()).unwrap_or(u16::MAX),
            Seats::People(count, _) => u16::try_from(*count).unwrap_or(u16::MAX),
        };
        let setup =
            Setup { players_max: Some(count), ..Setup::new(options, seed_of(seed), BEGINNING) };
        match Playroom::from_setup(Arc::clone(&self.game), setup) {
            Ok(room) => room,
            Err(error) => panic!("{}: no room for {count} players: {error}", G::GAME_TYPE),
        }
    }

    /// Seats everyone. The last to sit down may begin the game.
    #[track_caller]
    fn seat(&self, room: &mut Playroom<G>, rng: &mut GameRng) {
        let count = usize::from(room.room().charter().rules.players_max);
        let levels: Vec<String> = match &self.seats {
            Seats::Any => {
                let known = self.game.about().bot_levels;
                let any = |_| known.choose(rng).map(|level| (*level).to_owned());
                (0..count).filter_map(any).collect()
            }
            Seats::Levels(levels) => levels.clone(),
            Seats::People(count, mind) => {
                for name in 1..=*count {
                    let player = room.join(&format!("Player {name}"));
                    room.autoplay(player, Arc::clone(mind));
                }
                return;
            }
        };
        let Some((first, others)) = levels.split_first() else {
            room.fail("there is nobody to play: the game has no bots, so say who moves by `people`")
        };
        let host = room.join("Player 1");
        let Some(mind) = self.game.bot(first) else {
            room.fail(&format!("the game has no bot of level {first}"))
        };
        room.autoplay(host, mind);
        for level in others {
            // Where people come and go, there are some who can.
            match self.game.bot(level).filter(|_| self.with_unrest && rng.random_ratio(3, 4)) {
                Some(mind) => {
                    let player = room.join("Player");
                    room.autoplay(player, mind);
                }
                None => {
                    room.add_bot(host, level);
                }
            }
        }
    }

    #[track_caller]
    fn begin(&self, room: &mut Playroom<G>) {
        match room.room().charter().rules.start {
            StartRule::Host => room.start(),
            StartRule::AllReady => {
                for player in room.players() {
                    let seat = room.room().head().roster.seat(player);
                    if seat.is_some_and(|seat| !seat.is_ready()) {
                        room.ready(player);
                    }
                }
            }
            StartRule::WhenFull => {}
        }
        if room.phase() == Phase::Lobby {
            room.fail("the game does not begin");
        }
    }
}

/// How often people do so in one game, at most.
const UNREST: u32 = 12;

/// Lets somebody do something that no bot does. What a room refuses it refuses.
#[track_caller]
fn disturb<G: Game>(room: &mut Playroom<G>, rng: &mut GameRng) {
    let roster = Arc::clone(&room.room().head().roster);
    let people: Vec<_> = roster.seats().filter(|seat| seat.kind() != SeatKind::Bot).collect();
    let Some(seat) = people.choose(rng) else { return };
    let (player, is_connected) = (seat.id(), seat.is_present());
    let outcome = match rng.random_range(0..8) {
        0 | 1 if people.len() > 1 => room.command(Command::Leave(player)),
        2 => room.try_join("Guest").map(drop),
        3 => room.command(Command::Chat(player, "hello".to_owned())),
        4 if people.len() < 8 => {
            let join = Join::new("Watcher", Digest([rng.random(); 32]));
            room.command(Command::Join(Join { spectator: true, ..join }))
        }
        _ if is_connected => room.command(Command::Disconnect(player)),
        _ => room.command(Command::Reconnect(player)),
    };
    // Whether it was granted is the room's business, which has its own tests.
    drop(outcome);
}

/// A bot made of a function: what it does when it is to decide, or `None` to wait.
///
/// Like every bot it may use nothing but its view and its random numbers, or no game can be played again.
pub fn moves<G: Game>(
    decide: impl Fn(&G::View, PlayerId, &mut GameRng) -> Option<G::Action> + Send + Sync + 'static,
) -> Arc<dyn Bot<G>> {
    struct Moves<F>(F);

    impl<G, F> Bot<G> for Moves<F>
    where
        G: Game,
        F: Fn(&G::View, PlayerId, &mut GameRng) -> Option<G::Action> + Send + Sync + 'static,
    {
        fn decide(&self, view: &G::View, me: PlayerId, rng: &mut GameRng) -> Option<G::Action> {
            (self.0)(view, me, rng)
        }
    }

    Arc::new(Moves(decide))
}

/// Says how to play the game again in whose course the test failed, whatever failed.
struct Replayable {
    seed: u64,
}

impl Drop for Replayable {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let thread = std::thread::current();
            let test = thread.name().unwrap_or_default();
            eprintln!(
                "the game of seed {seed} failed; to play it alone: PARLOR_GAME_SEED={seed} cargo test {test}",
                seed = self.seed
            );
        }
    }
}

fn chosen_seed() -> Option<u64> {
    variable("PARLOR_GAME_SEED")
}

#[track_caller]
fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name} is to be a number, not {text:?}"),
    }
}

impl<G: Game> fmt::Debug for BotGames<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BotGames")
            .field("seed", &self.seed)
            .field("games", &self.games)
            .finish_non_exhaustive()
    }
}
