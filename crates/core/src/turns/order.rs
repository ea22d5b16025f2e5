//! Whose turn it is among players who sit around a table, some of whom are skipped or leave.

use serde::{Deserialize, Serialize};

use crate::{GameError, PlayerId};

/// Players in the order of their turns, one of whom is at turn.
///
/// As long as anyone is in it, it is somebody's turn; nobody is in it twice. The default is empty, which
/// is what a game has before its start.
///
/// ```
/// use parlor_core::{PlayerId, Removal, TurnOrder};
///
/// let [ada, bob, cyd] = [1, 2, 3].map(PlayerId);
/// let mut order = TurnOrder::new([ada, bob, cyd]);
/// assert_eq!(order.current(), Some(ada));
///
/// order.skip(bob);
/// assert_eq!(order.advance(), Some(cyd));
/// assert_eq!(order.remove(cyd), Removal::InTurn);
/// assert_eq!((order.current(), order.round()), (Some(ada), 2));
/// ```
///
/// # Rounds
///
/// A round is over as soon as everyone who is in the order has had a turn, or has been passed over,
/// since the round began. While nobody leaves and the direction stays, that is once around the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct TurnOrder {
    seats: Vec<Seat>,
    /// Whose turn it is, as an index into the seats; 0 when there are none.
    place: usize,
    reversed: bool,
    rounds_over: u32,
    turns_over: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seat {
    player: PlayerId,
    /// Whether its turn of this round is over. There is always one for whom it is not.
    is_done: bool,
    /// How many of its turns are still to be passed over.
    skips: u8,
}

/// What taking a player out of the order meant for the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Removal {
    /// It was not in the order; nothing has changed.
    Absent,
    /// It was not its turn; the same player is at turn as before.
    OutOfTurn,
    /// It was its turn, which has passed to the next, if there is anyone left.
    InTurn,
}

impl TurnOrder {
    /// An order in which the first of `players` is at turn. Who is named again stays where it was first.
    pub fn new(players: impl IntoIterator<Item = PlayerId>) -> Self {
        let mut order = Self::default();
        for player in players {
            if !order.contains(player) {
                order.seats.push(Seat::new(player));
            }
        }
        order
    }

    /// Whose turn it is; `None` only when nobody is in the order.
    pub fn current(&self) -> Option<PlayerId> {
        self.seats.get(self.place).map(|seat| seat.player)
    }

    /// Refuses with `NOT_YOUR_TURN` unless it is `player`'s turn.
    pub fn check_turn(&self, player: PlayerId) -> Result<(), GameError> {
        if self.current() == Some(player) { Ok(()) } else { Err(GameError::not_your_turn()) }
    }

    /// Who will be at turn when this turn is over, those to be skipped left out.
    ///
    /// That is the current player itself when it is alone, and `None` when nobody is in the order.
    pub fn next(&self) -> Option<PlayerId> {
        self.clone().advance()
    }

    /// Ends the turn and returns who is at turn now, as [`next`](Self::next) said.
    pub fn advance(&mut self) -> Option<PlayerId> {
        self.end_turn();
        self.step_over();
        self.current()
    }

    /// Ends the turn and makes it `player`'s, wherever it sits. Whose turn it is already has another.
    ///
    /// Nobody is passed over by this: those in between still have their turn in this round, and skips
    /// stay due, `player`'s own too. Returns `false`, and changes nothing, when `player` is not in the order.
    pub fn pass_to(&mut self, player: PlayerId) -> bool {
        let Some(place) = self.place_of(player) else { return false };
        self.end_turn();
        self.place = place;
        true
    }

    /// Lets the next turn of `player` be passed over: of the one at turn, the one after this turn.
    ///
    /// Said again, one more turn is passed over, up to 255. Returns `false` when `player` is not in the
    /// order.
    pub fn skip(&mut self, player: PlayerId) -> bool {
        let Some(place) = self.place_of(player) else { return false };
        let skips = &mut self.seats[place].skips;
        *skips = skips.saturating_add(1);
        true
    }

    /// Takes `player` out, be it eliminated or gone. In its own turn, the turn passes to the next.
    ///
    /// A turn that ends in this way is not counted by [`turns_over`](Self::turns_over).
    pub fn remove(&mut self, player: PlayerId) -> Removal {
        let Some(place) = self.place_of(player) else { return Removal::Absent };
        let in_turn = place == self.place;
        self.seats.remove(place);
        self.end_round_if_all_are_done();
        let count = self.seats.len();
        if count == 0 {
            self.place = 0;
        } else if in_turn {
            // From the one before, the next step leads to the one behind.
            let before = if self.reversed { place } else { place + count - 1 };
            self.place = before % count;
            self.step_over();
        } else if place < self.place {
            self.place -= 1;
        }
        if in_turn { Removal::InTurn } else { Removal::OutOfTurn }
    }

    /// Seats `player` so that everyone else has a turn before it. In an empty order it is at turn.
    ///
    /// Returns `false`, and changes nothing, when it is in the order already.
    pub fn add(&mut self, player: PlayerId) -> bool {
        if self.contains(player) {
            return false;
        }
        let behind = if self.reversed { self.place + 1 } else { self.place };
        self.seats.insert(behind.min(self.seats.len()), Seat::new(player));
        if !self.reversed && self.seats.len() > 1 {
            self.place += 1;
        }
        true
    }

    /// Turns the direction round. The turn stays whose it is.
    pub fn reverse(&mut self) {
        self.reversed = !self.reversed;
    }

    /// Whether turns go against the order in which the players were named.
    pub fn is_reversed(&self) -> bool {
        self.reversed
    }

    /// All of them once, from the one at turn on, in the direction of play. Skips are not looked at.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = PlayerId> + Clone + '_ {
        let count = self.seats.len();
        (0..count).map(move |steps| {
            let steps = if self.reversed { count - steps } else { steps };
            self.seats[(self.place + steps) % count].player
        })
    }

    /// All of them as they were named, whoever is at turn: the order to show them in.
    pub fn players(&self) -> impl ExactSizeIterator<Item = PlayerId> + Clone + '_ {
        self.seats.iter().map(|seat| seat.player)
    }

    /// Whether `player` is in the order.
    pub fn contains(&self, player: PlayerId) -> bool {
        self.place_of(player).is_some()
    }

    /// How many are in the order.
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether nobody is in the order, and so nobody at turn.
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// The number of the round being played, from 1 on.
    pub fn round(&self) -> u32 {
        self.rounds_over.saturating_add(1)
    }

    /// How many turns have been played to their end. Turns passed over are not counted.
    pub fn turns_over(&self) -> u32 {
        self.turns_over
    }

    fn place_of(&self, player: PlayerId) -> Option<usize> {
        self.seats.iter().position(|seat| seat.player == player)
    }

    fn end_turn(&mut self) {
        if let Some(seat) = self.seats.get_mut(self.place) {
            seat.is_done = true;
            self.turns_over = self.turns_over.saturating_add(1);
            self.end_round_if_all_are_done();
        }
    }

    /// Moves on by one, and by one more for everyone who is to be skipped.
    fn step_over(&mut self) {
        let count = self.seats.len();
        if count == 0 {
            return;
        }
        // Ends: each time round uses up a skip of everyone who is passed over.
        loop {
            self.place = (self.place + if self.reversed { count - 1 } else { 1 }) % count;
            let seat = &mut self.seats[self.place];
            if seat.skips == 0 {
                break;
            }
            seat.skips -= 1;
            seat.is_done = true;
            self.end_round_if_all_are_done();
        }
    }

    fn end_round_if_all_are_done(&mut self) {
        if !self.seats.is_empty() && self.seats.iter().all(|seat| seat.is_done) {
            self.seats.iter_mut().for_each(|seat| seat.is_done = false);
            self.rounds_over = self.rounds_over.saturating_add(1);
        }
    }
}

/// An order as bytes, which may have been written by anyone.
#[derive(Deserialize)]
struct Saved {
    seats: Vec<Seat>,
    place: usize,
    reversed: bool,
    rounds_over: u32,
    turns_over: u32,
}

impl TryFrom<Saved> for TurnOrder {
    type Error = &'static str;

    fn try_from(saved: Saved) -> Result<Self, Self::Error> {
        let Saved { seats, place, reversed, rounds_over, turns_over } = saved;
        if Self::new(seats.iter().map(|seat| seat.player)).len() != seats.len() {
            return Err("a player is in the order twice");
        }
        if place >= seats.len().max(1) {
            return Err("it is the turn of nobody in the order");
        }
        if !seats.is_empty() && seats.iter().all(|seat| seat.is_done) {
            return Err("a round goes on after everyone's turn");
        }
        Ok(Self { seats, place, reversed, rounds_over, turns_over })
    }
}

impl Seat {
    fn new(player: PlayerId) -> Self {
        Self { player, is_done: false, skips: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use proptest::prelude::*;

    use super::*;

    const A: PlayerId = PlayerId(1);
    const B: PlayerId = PlayerId(2);
    const C: PlayerId = PlayerId(3);
    const D: PlayerId = PlayerId(4);

    /// The players at turn now and for the next `turns` turns.
    fn turns(order: &mut TurnOrder, turns: usize) -> Vec<u32> {
        let now = order.current();
        let later = (0..turns).map(|_| order.advance());
        now.into_iter().chain(later.flatten()).map(|player| player.0).collect()
    }

    #[test]
    fn turns_go_round_and_round() {
        let mut order = TurnOrder::new([B, A, C]);
        assert_eq!(turns(&mut order, 6), [2, 1, 3, 2, 1, 3, 2]);
        assert_eq!((order.round(), order.turns_over()), (3, 6));
    }

    #[test]
    fn next_says_what_advance_does() {
        let mut order = TurnOrder::new([A, B, C]);
        order.skip(B);
        assert_eq!((order.next(), order.current()), (Some(C), Some(A)));
        assert_eq!(order.advance(), Some(C));
    }

    #[test]
    fn empty_order_is_nobodys_turn_whatever_is_asked_of_it() {
        let mut order = TurnOrder::default();
        assert_eq!((order.current(), order.next(), order.advance()), (None, None, None));
        assert!(!order.pass_to(A) && !order.skip(A));
        assert_eq!((order.remove(A), order.iter().len()), (Removal::Absent, 0));
        assert_eq!((order.round(), order.turns_over()), (1, 0));
        assert_eq!(order.check_turn(A), Err(GameError::not_your_turn()));
        assert!(order.add(A));
        assert_eq!(order.current(), Some(A));
    }

    #[test]
    fn who_is_alone_has_every_turn_and_each_is_a_round() {
        let mut order = TurnOrder::new([A]);
        assert_eq!((order.next(), order.advance(), order.round()), (Some(A), Some(A), 2));
        order.skip(A);
        assert_eq!((order.advance(), order.round()), (Some(A), 4));
    }

    #[test]
    fn who_is_named_twice_sits_where_it_was_first() {
        let order = TurnOrder::new([A, B, A, C, B]);
        assert_eq!(order.players().collect::<Vec<_>>(), [A, B, C]);
    }

    #[test]
    fn only_the_one_at_turn_passes_the_check() {
        let order = TurnOrder::new([A, B]);
        assert_eq!(order.check_turn(A), Ok(()));
        assert_eq!(order.check_turn(B).unwrap_err().code(), "NOT_YOUR_TURN");
    }

    #[test]
    fn skips_add_up_and_are_used_up_one_a_round() {
        let mut order = TurnOrder::new([A, B, C]);
        order.skip(B);
        order.skip(B);
        assert_eq!(turns(&mut order, 5), [1, 3, 1, 3, 1, 2]);
        assert_eq!(order.round(), 3);
    }

    #[test]
    fn skip_of_the_one_at_turn_is_for_its_turn_after_this() {
        let mut order = TurnOrder::new([A, B, C]);
        order.skip(A);
        assert_eq!(turns(&mut order, 3), [1, 2, 3, 2]);
    }

    #[test]
    fn so_many_skips_that_all_are_passed_over_still_end() {
        let mut order = TurnOrder::new([A, B]);
        for _ in 0..300 {
            order.skip(A);
            order.skip(B);
        }
        // 255 of each are used up, starting with B's.
        assert_eq!(order.advance(), Some(B));
        assert_eq!(order.advance(), Some(A));
    }

    #[test]
    fn removal_in_turn_passes_the_turn_and_otherwise_keeps_it() {
        for (reversed, at_turn, gone, removal, then) in [
            (false, A, A, Removal::InTurn, B),
            (false, B, B, Removal::InTurn, C),
            (false, C, C, Removal::InTurn, A),
            (true, A, A, Removal::InTurn, C),
            (true, B, B, Removal::InTurn, A),
            (true, C, C, Removal::InTurn, B),
            (false, B, A, Removal::OutOfTurn, B),
            (false, B, C, Removal::OutOfTurn, B),
            (true, B, A, Removal::OutOfTurn, B),
            (true, B, C, Removal::OutOfTurn, B),
            (false, B, D, Removal::Absent, B),
        ] {
            let mut order = TurnOrder::new([A, B, C]);
            order.pass_to(at_turn);
            if reversed {
                order.reverse();
            }
            assert_eq!(order.remove(gone), removal, "{gone} goes in the turn of {at_turn}");
            assert_eq!(order.current(), Some(then), "{gone} goes in the turn of {at_turn}");
            assert!(!order.contains(gone));
        }
    }

    #[test]
    fn removal_passes_over_those_to_be_skipped() {
        let mut order = TurnOrder::new([B, A, C]);
        order.pass_to(A);
        order.skip(B);
        order.skip(C);
        assert_eq!(order.remove(A), Removal::InTurn);
        assert_eq!(order.current(), Some(C), "both were passed over once");
    }

    #[test]
    fn last_one_removed_leaves_an_empty_order() {
        let mut order = TurnOrder::new([A, B]);
        order.advance();
        assert_eq!(order.remove(A), Removal::OutOfTurn);
        assert_eq!(order.remove(B), Removal::InTurn);
        assert_eq!((order.is_empty(), order.current()), (true, None));
    }

    #[test]
    fn direction_turns_round_and_the_turn_stays() {
        let mut order = TurnOrder::new([A, B, C]);
        order.advance();
        order.reverse();
        assert_eq!(order.iter().collect::<Vec<_>>(), [B, A, C]);
        assert_eq!(turns(&mut order, 3), [2, 1, 3, 2]);
        order.reverse();
        assert_eq!((order.is_reversed(), order.advance()), (false, Some(C)));
    }

    #[test]
    fn turn_is_passed_to_anyone_and_goes_on_from_there() {
        let mut order = TurnOrder::new([A, B, C, D]);
        assert!(order.pass_to(C));
        assert_eq!(turns(&mut order, 2), [3, 4, 1]);
        assert!(!order.pass_to(PlayerId(9)));
        assert_eq!((order.current(), order.turns_over()), (Some(A), 3));
    }

    /// B has not had its turn when the first is through for the second time.
    #[test]
    fn round_waits_for_everyone_who_has_not_had_a_turn() {
        let mut order = TurnOrder::new([A, B, C]);
        order.pass_to(C);
        order.advance();
        order.pass_to(C);
        assert_eq!(order.round(), 1);
        order.pass_to(B);
        assert_eq!(order.round(), 1, "it is at turn and not through");
        order.advance();
        assert_eq!(order.round(), 2);
    }

    #[test]
    fn round_ends_when_the_only_one_it_waits_for_goes() {
        let mut order = TurnOrder::new([A, B, C]);
        order.advance();
        order.advance();
        assert_eq!((order.remove(C), order.round()), (Removal::InTurn, 2));
    }

    #[test]
    fn newcomer_has_its_turn_after_all_others() {
        for reversed in [false, true] {
            let mut order = TurnOrder::new([A, B, C]);
            order.advance();
            if reversed {
                order.reverse();
            }
            assert!(order.add(D) && !order.add(A));
            assert_eq!((order.current(), order.iter().last()), (Some(B), Some(D)));
        }
    }

    #[test]
    fn order_is_read_back_as_written_and_nothing_else_is_an_order() {
        let mut order = TurnOrder::new([A, B, C]);
        order.advance();
        order.skip(A);
        order.reverse();
        let good = serde_json::to_value(&order).unwrap();
        assert_eq!(serde_json::from_value::<TurnOrder>(good.clone()).unwrap(), order);

        let check = |edit: &dyn Fn(&mut serde_json::Value), error: &str| {
            let mut bad = good.clone();
            edit(&mut bad);
            let told = serde_json::from_value::<TurnOrder>(bad).unwrap_err().to_string();
            assert_eq!(told, error);
        };
        check(&|order| order["seats"][1]["player"] = 1.into(), "a player is in the order twice");
        check(&|order| order["place"] = 3.into(), "it is the turn of nobody in the order");
        check(
            &|order| (0..3).for_each(|seat| order["seats"][seat]["is_done"] = true.into()),
            "a round goes on after everyone's turn",
        );
    }

    /// Players in a queue whose head is at turn, as one would play with cards on a table.
    #[derive(Debug, Default)]
    struct Model {
        queue: VecDeque<PlayerId>,
        reversed: bool,
        skips: BTreeMap<PlayerId, u32>,
        /// Who has had its turn in this round.
        had: Vec<PlayerId>,
        round: u32,
    }

    impl Model {
        fn turn_is_over(&mut self, of: PlayerId) {
            self.had.push(of);
            self.look_at_the_round();
        }

        fn look_at_the_round(&mut self) {
            if !self.queue.is_empty() && self.queue.iter().all(|one| self.had.contains(one)) {
                self.had.clear();
                self.round += 1;
            }
        }

        fn rotate(&mut self) {
            if self.reversed { self.queue.rotate_right(1) } else { self.queue.rotate_left(1) }
        }

        /// The next at the head, for whom there is no skip.
        fn pass_over(&mut self) {
            while let Some(skips) = self.skips.get_mut(&self.queue[0]).filter(|skips| **skips > 0) {
                *skips -= 1;
                self.turn_is_over(self.queue[0]);
                self.rotate();
            }
        }

        fn advance(&mut self) {
            if let Some(current) = self.queue.front() {
                self.turn_is_over(*current);
                self.rotate();
                self.pass_over();
            }
        }

        fn pass_to(&mut self, player: PlayerId) {
            if self.queue.contains(&player) {
                self.turn_is_over(self.queue[0]);
                while self.queue[0] != player {
                    self.rotate();
                }
            }
        }

        fn remove(&mut self, player: PlayerId) {
            let was_in_turn = self.queue.front() == Some(&player);
            if was_in_turn && self.reversed {
                // The next one sits at the tail.
                self.queue.pop_front();
                self.queue.rotate_right(1.min(self.queue.len()));
            } else {
                self.queue.retain(|one| *one != player);
            }
            self.skips.remove(&player);
            self.look_at_the_round();
            if was_in_turn && !self.queue.is_empty() {
                self.pass_over();
            }
        }

        fn add(&mut self, player: PlayerId) {
            if self.queue.contains(&player) {
                return;
            }
            self.had.retain(|one| *one != player);
            let behind = if self.reversed { 1.min(self.queue.len()) } else { self.queue.len() };
            self.queue.insert(behind, player);
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Advance,
        PassTo(PlayerId),
        Skip(PlayerId),
        Remove(PlayerId),
        Add(PlayerId),
        Reverse,
    }

    fn step() -> impl Strategy<Value = Step> {
        let player = || (1..=6_u32).prop_map(PlayerId);
        prop_oneof![
            4 => Just(Step::Advance),
            1 => player().prop_map(Step::PassTo),
            1 => player().prop_map(Step::Skip),
            1 => player().prop_map(Step::Remove),
            1 => player().prop_map(Step::Add),
            1 => Just(Step::Reverse),
        ]
    }

    const CASES: u32 = if cfg!(miri) { 2 } else { 256 };

    proptest! {
        // A seed on disk would be a file that the build leaves in the sources.
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(CASES)
        })]

        #[test]
        fn order_goes_as_a_queue_of_players_does(
            players in 0..=5_u32,
            steps in prop::collection::vec(step(), 1..100),
        ) {
            let players = (1..=players).map(PlayerId);
            let mut order = TurnOrder::new(players.clone());
            let mut model = Model { queue: players.collect(), round: 1, ..Model::default() };
            for step in steps {
                match step {
                    Step::Advance => {
                        let next = order.next();
                        prop_assert_eq!(order.advance(), next);
                        model.advance();
                    }
                    Step::PassTo(player) => {
                        prop_assert_eq!(order.pass_to(player), model.queue.contains(&player));
                        model.pass_to(player);
                    }
                    Step::Skip(player) => {
                        if order.skip(player) {
                            *model.skips.entry(player).or_default() += 1;
                        }
                    }
                    Step::Remove(player) => {
                        let expect = match model.queue.iter().position(|one| *one == player) {
                            None => Removal::Absent,
                            Some(0) => Removal::InTurn,
                            Some(_) => Removal::OutOfTurn,
                        };
                        prop_assert_eq!(order.remove(player), expect);
                        model.remove(player);
                    }
                    Step::Add(player) => {
                        prop_assert_eq!(order.add(player), !model.queue.contains(&player));
                        model.add(player);
                    }
                    Step::Reverse => {
                        order.reverse();
                        model.reversed = !model.reversed;
                    }
                }
                let mut queue: Vec<PlayerId> = model.queue.iter().copied().collect();
                if model.reversed && !queue.is_empty() {
                    queue[1..].reverse();
                }
                prop_assert_eq!(order.iter().collect::<Vec<_>>(), queue, "after {:?}", step);
                prop_assert_eq!(order.current(), model.queue.front().copied());
                prop_assert_eq!(order.round(), model.round, "after {:?}", step);
                let saved = serde_json::to_string(&order).unwrap();
                prop_assert_eq!(&serde_json::from_str::<TurnOrder>(&saved).unwrap(), &order);
            }
        }
    }
}
