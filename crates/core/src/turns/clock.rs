//! How long players may take for their turns, with time in reserve for when it matters.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{PlayerId, PlayerMap, Time};

/// A time for each turn, and a bank of time for each player that is drawn on when that is over.
///
/// It reckons and no more: the game sets a timer for as long as [`begin`](Self::begin) says, and ends
/// the turn when the timer fires. Times are whole milliseconds; what is finer is cut off.
///
/// ```
/// use std::time::Duration;
///
/// use parlor_core::{PlayerId, Time, TurnClock};
///
/// let (ada, start) = (PlayerId(1), Time::from_millis(0));
/// let mut clock = TurnClock::new(Duration::from_secs(20)).with_bank(Duration::from_secs(60));
///
/// // In a callback: `ctx.set_timer(Timer::TurnOver, clock.begin(player, ctx.now()))`.
/// assert_eq!(clock.begin(ada, start), Duration::from_secs(80));
///
/// // Half a minute is 10 s more than a turn may take.
/// assert_eq!(clock.end(start + Duration::from_secs(30)), Duration::from_secs(10));
/// assert_eq!(clock.bank(ada), Duration::from_secs(50));
/// ```
///
/// # Players who are away
///
/// A clock that is told by [`away`](Self::away) and [`back`](Self::back) who is connected keeps the others
/// from waiting for someone who cannot act: a turn that begins without its player has the time of a turn
/// and no more, and leaves the bank alone. A turn that is lost from sight in its middle keeps its time,
/// so that a short gap in a connection costs nothing. A game that never says so treats all alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnClock {
    /// In milliseconds, as the two that follow.
    turn: NonZeroU64,
    bank: u64,
    increment: u64,
    /// Those who differ from one who has just sat down.
    players: PlayerMap<Account>,
    running: Option<Turn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    /// In milliseconds.
    bank: u64,
    is_away: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Turn {
    player: PlayerId,
    since: Time,
    /// Whether the bank may be drawn on.
    with_bank: bool,
}

impl TurnClock {
    /// A clock that gives each turn this long, at least a millisecond, and has neither banks nor increments.
    pub fn new(turn: Duration) -> Self {
        Self {
            turn: NonZeroU64::new(millis(turn)).unwrap_or(NonZeroU64::MIN),
            bank: 0,
            increment: 0,
            players: PlayerMap::new(),
            running: None,
        }
    }

    /// Gives each player a bank, which is not filled up again but by an increment.
    #[must_use]
    pub fn with_bank(mut self, bank: Duration) -> Self {
        self.bank = millis(bank);
        self
    }

    /// Adds this much to a player's bank for each turn that it ends in time.
    #[must_use]
    pub fn with_increment(mut self, increment: Duration) -> Self {
        self.increment = millis(increment);
        self
    }

    /// The turn of `player` begins. Returns how long it may take, for [`Ctx::set_timer`](crate::Ctx::set_timer).
    ///
    /// That is at least a millisecond. A turn that is still running ends, as by [`end`](Self::end).
    pub fn begin(&mut self, player: PlayerId, now: Time) -> Duration {
        self.end(now);
        let with_bank = !self.account(player).is_away;
        self.running = Some(Turn { player, since: now, with_bank });
        self.left(now)
    }

    /// The turn that is running ends, be it by its player or because its time is up. Returns what was
    /// drawn from the bank for it: nothing when no turn is running.
    ///
    /// At its deadline and later the bank is used up, and there is no increment.
    pub fn end(&mut self, now: Time) -> Duration {
        let Some(deadline) = self.deadline() else { return Duration::ZERO };
        let Some(turn) = self.running.take() else { return Duration::ZERO };
        let mut account = self.account(turn.player);
        let drawn = if turn.with_bank {
            millis(now.since(turn.since)).saturating_sub(self.turn.get()).min(account.bank)
        } else {
            0
        };
        let increment = if now < deadline { self.increment } else { 0 };
        account.bank = (account.bank - drawn).saturating_add(increment);
        self.players.insert(turn.player, account);
        Duration::from_millis(drawn)
    }

    /// When the time of the running turn is up, the bank included; `None` when no turn is running.
    pub fn deadline(&self) -> Option<Time> {
        let turn = self.running?;
        let bank = if turn.with_bank { self.account(turn.player).bank } else { 0 };
        Some(turn.since + Duration::from_millis(self.turn.get().saturating_add(bank)))
    }

    /// From when on the running turn draws on the bank, which is its deadline when it has none; `None`
    /// when no turn is running.
    pub fn draws_from(&self) -> Option<Time> {
        Some(self.running?.since + Duration::from_millis(self.turn.get()))
    }

    /// Whose turn is running.
    pub fn player(&self) -> Option<PlayerId> {
        self.running.map(|turn| turn.player)
    }

    /// What `player` has in the bank, less nothing for a turn that is running. Who has had no turn yet
    /// has a full one.
    pub fn bank(&self, player: PlayerId) -> Duration {
        Duration::from_millis(self.account(player).bank)
    }

    /// `player` is not connected: from its next turn on it has no bank, until it is back.
    pub fn away(&mut self, player: PlayerId) {
        let account = Account { is_away: true, ..self.account(player) };
        self.players.insert(player, account);
    }

    /// `player` is connected again. When its turn has begun without it, returns how long that may take
    /// from now, with the bank: set the timer anew. Otherwise `None`, and the timer stands.
    pub fn back(&mut self, player: PlayerId, now: Time) -> Option<Duration> {
        let account = Account { is_away: false, ..self.account(player) };
        self.players.insert(player, account);
        let turn = self.running.as_mut().filter(|turn| turn.player == player && !turn.with_bank)?;
        turn.with_bank = true;
        Some(self.left(now))
    }

    /// Forgets `player`, who has left. Returns whether its turn was running, which has ended with that:
    /// begin the next, or take the timer back.
    pub fn remove(&mut self, player: PlayerId) -> bool {
        self.players.remove(&player);
        self.running.take_if(|turn| turn.player == player).is_some()
    }

    fn account(&self, player: PlayerId) -> Account {
        let new = Account { bank: self.bank, is_away: false };
        self.players.get(&player).copied().unwrap_or(new)
    }

    /// How long the running turn may still take.
    fn left(&self, now: Time) -> Duration {
        let deadline = self.deadline().unwrap_or(now);
        deadline.since(now).max(Duration::from_millis(1))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const A: PlayerId = PlayerId(1);
    const B: PlayerId = PlayerId(2);

    fn at(secs: u64) -> Time {
        Time::from_millis(1_000 * secs)
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// 20 s a turn and 60 s in reserve.
    fn clock() -> TurnClock {
        TurnClock::new(secs(20)).with_bank(secs(60))
    }

    #[test]
    fn clock_without_a_bank_gives_each_turn_the_same() {
        let mut clock = TurnClock::new(secs(20));
        assert_eq!(clock.begin(A, at(100)), secs(20));
        assert_eq!((clock.deadline(), clock.draws_from()), (Some(at(120)), Some(at(120))));
        assert_eq!(clock.end(at(120)), Duration::ZERO);
        assert_eq!(clock.begin(A, at(120)), secs(20));
    }

    #[test]
    fn bank_is_drawn_on_only_when_the_time_of_the_turn_is_over() {
        let mut clock = clock();
        for (taken, drawn, left) in [(20, 0, 60), (25, 5, 55), (1, 0, 55), (40, 20, 35)] {
            clock.begin(A, at(1_000));
            assert_eq!(clock.end(at(1_000 + taken)), secs(drawn), "{taken}");
            assert_eq!(clock.bank(A), secs(left), "{taken}");
        }
        assert_eq!(clock.bank(B), secs(60), "each has its own");
    }

    #[test]
    fn at_the_deadline_the_bank_is_empty_and_the_next_turn_has_none() {
        let mut clock = clock();
        clock.begin(A, at(0));
        assert_eq!((clock.draws_from(), clock.deadline()), (Some(at(20)), Some(at(80))));
        assert_eq!(clock.end(at(80)), secs(60));
        assert_eq!(clock.begin(A, at(80)), secs(20));
        // Called late, it draws no more than there was.
        let mut late = self::clock();
        late.begin(A, at(0));
        assert_eq!((late.end(at(1_000)), late.bank(A)), (secs(60), Duration::ZERO));
    }

    #[test]
    fn increment_is_for_turns_that_end_in_time() {
        let mut clock = clock().with_increment(secs(5));
        for (taken, left) in [(10, 65), (25, 65), (84, 6), (26, 0)] {
            clock.begin(A, at(0));
            clock.end(at(taken));
            assert_eq!(clock.bank(A), secs(left), "{taken}");
        }
    }

    #[test]
    fn without_a_turn_there_is_nothing_to_end() {
        let mut clock = clock();
        assert_eq!((clock.end(at(9)), clock.deadline(), clock.player()), (secs(0), None, None));
        assert_eq!((clock.draws_from(), clock.bank(A)), (None, secs(60)));
    }

    #[test]
    fn next_turn_ends_one_that_is_running() {
        let mut clock = clock();
        clock.begin(A, at(0));
        assert_eq!(clock.begin(B, at(30)), secs(80));
        assert_eq!((clock.player(), clock.bank(A)), (Some(B), secs(50)));
    }

    #[test]
    fn turn_that_begins_without_its_player_leaves_the_bank_alone() {
        let mut clock = clock();
        clock.away(A);
        assert_eq!(clock.begin(A, at(0)), secs(20));
        assert_eq!((clock.deadline(), clock.end(at(20))), (Some(at(20)), secs(0)));
        assert_eq!(clock.bank(A), secs(60));
    }

    #[test]
    fn who_is_back_in_its_turn_has_the_bank_too() {
        let mut clock = clock();
        clock.away(A);
        clock.begin(A, at(0));
        assert_eq!(clock.back(A, at(15)), Some(secs(65)));
        assert_eq!(clock.deadline(), Some(at(80)));
        assert_eq!(clock.end(at(30)), secs(10));
        assert_eq!(clock.begin(A, at(30)), secs(70));
    }

    #[test]
    fn gap_within_a_turn_changes_nothing_in_it() {
        let mut clock = clock();
        clock.begin(A, at(0));
        clock.away(A);
        assert_eq!(clock.deadline(), Some(at(80)));
        assert_eq!(clock.back(A, at(30)), None);
        assert_eq!(clock.end(at(35)), secs(15));
    }

    #[test]
    fn who_is_back_out_of_its_turn_leaves_the_timer_as_it_is() {
        let mut clock = clock();
        clock.away(B);
        clock.begin(A, at(0));
        assert_eq!(clock.back(B, at(1)), None);
        assert_eq!(clock.deadline(), Some(at(80)));
        assert_eq!(clock.begin(B, at(2)), secs(80));
    }

    #[test]
    fn who_leaves_takes_its_turn_along_and_no_other() {
        let mut clock = clock();
        clock.begin(A, at(0));
        assert!(!clock.remove(B));
        assert_eq!(clock.deadline(), Some(at(80)));
        assert!(clock.remove(A));
        assert_eq!((clock.deadline(), clock.end(at(50))), (None, secs(0)));
        assert_eq!(clock.begin(B, at(50)), secs(80));
    }

    /// A timer of no time at all would be due a millisecond later anyway.
    #[test]
    fn time_returned_is_never_zero_and_never_past_the_end_of_time() {
        let mut clock = TurnClock::new(Duration::ZERO);
        assert_eq!(clock.begin(A, at(0)), Duration::from_millis(1));
        assert_eq!(clock.deadline(), Some(Time::from_millis(1)));

        let mut clock = TurnClock::new(Duration::MAX).with_bank(Duration::MAX);
        clock.begin(A, at(5));
        assert_eq!(clock.deadline(), Some(Time::from_millis(u64::MAX)));
        assert_eq!(clock.end(at(6)), Duration::ZERO);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// Play goes on after so many milliseconds, with the turn of this player.
        Begin {
            after: u64,
            player: PlayerId,
        },
        End {
            after: u64,
        },
        Away(PlayerId),
        Back {
            after: u64,
            player: PlayerId,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        let player = || (1..=3_u32).prop_map(PlayerId);
        let after = || prop_oneof![0..50_u64, 0..400_u64];
        prop_oneof![
            3 => (after(), player()).prop_map(|(after, player)| Step::Begin { after, player }),
            2 => after().prop_map(|after| Step::End { after }),
            1 => player().prop_map(Step::Away),
            1 => (after(), player()).prop_map(|(after, player)| Step::Back { after, player }),
        ]
    }

    const CASES: u32 = if cfg!(miri) { 2 } else { 256 };
    const TURN: u64 = 40;
    const BANK: u64 = 100;
    const INCREMENT: u64 = 7;

    proptest! {
        // A seed on disk would be a file that the build leaves in the sources.
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(CASES)
        })]

        /// The model counts milliseconds one by one, as someone with an hourglass for each player would.
        #[test]
        fn banks_run_down_as_hourglasses_do(steps in prop::collection::vec(step(), 1..60)) {
            let millis = Duration::from_millis;
            let mut clock = TurnClock::new(millis(TURN))
                .with_bank(millis(BANK))
                .with_increment(millis(INCREMENT));
            let mut now = Time::from_millis(1_000);
            let mut sand: BTreeMap<PlayerId, u64> = (1..=3).map(|id| (PlayerId(id), BANK)).collect();
            let mut away: Vec<PlayerId> = Vec::new();
            // Whose turn, since when, and whether with the hourglass.
            let mut turn: Option<(PlayerId, Time, bool)> = None;

            let end = |turn: &mut Option<(PlayerId, Time, bool)>, sand: &mut BTreeMap<_, u64>, now: Time| {
                let Some((player, since, with_sand)) = turn.take() else { return 0 };
                let glass = sand.get_mut(&player).unwrap();
                let (mut drawn, mut in_time) = (0, false);
                let mut time = since;
                for passed in 0.. {
                    let has_time = passed < TURN || (with_sand && *glass > 0);
                    in_time = has_time;
                    if time == now || !has_time {
                        break;
                    }
                    if passed >= TURN {
                        *glass -= 1;
                        drawn += 1;
                    }
                    time = time + millis(1);
                }
                if in_time {
                    *glass += INCREMENT;
                }
                drawn
            };

            for step in steps {
                match step {
                    Step::Begin { after, player } => {
                        now = now + millis(after);
                        end(&mut turn, &mut sand, now);
                        let with_sand = !away.contains(&player);
                        turn = Some((player, now, with_sand));
                        let expect = TURN + if with_sand { sand[&player] } else { 0 };
                        prop_assert_eq!(clock.begin(player, now), millis(expect));
                        prop_assert_eq!(clock.deadline(), Some(now + millis(expect)));
                    }
                    Step::End { after } => {
                        now = now + millis(after);
                        let drawn = end(&mut turn, &mut sand, now);
                        prop_assert_eq!(clock.end(now), millis(drawn));
                        prop_assert_eq!(clock.deadline(), None);
                    }
                    Step::Away(player) => {
                        away.push(player);
                        clock.away(player);
                    }
                    Step::Back { after, player } => {
                        // A turn whose time is up would have been ended before.
                        let then = now + millis(after);
                        now = clock.deadline().map_or(then, |at| at.min(then)).max(now);
                        away.retain(|one| *one != player);
                        let regained = matches!(turn, Some((whose, _, false)) if whose == player);
                        let left = clock.back(player, now);
                        prop_assert_eq!(left.is_some(), regained);
                        if let (Some((_, since, with_sand)), true) = (&mut turn, regained) {
                            *with_sand = true;
                            let deadline = *since + millis(TURN + sand[&player]);
                            prop_assert_eq!(clock.deadline(), Some(deadline));
                            prop_assert_eq!(left, Some(deadline.since(now).max(millis(1))));
                        }
                    }
                }
                prop_assert_eq!(clock.player(), turn.map(|(player, ..)| player));
                for (player, glass) in &sand {
                    prop_assert_eq!(clock.bank(*player), millis(*glass));
                }
                let saved = serde_json::to_string(&clock).unwrap();
                prop_assert_eq!(&serde_json::from_str::<TurnClock>(&saved).unwrap(), &clock);
            }
        }
    }
}
