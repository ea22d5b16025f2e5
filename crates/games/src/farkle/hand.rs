//! The dice of one turn: what lies on the table, what is kept, what may be done next.
//!
//! Knows nothing of players, clocks and totals.

use parlor_core::rand::RngExt as _;
use parlor_core::{GameError, GameRng};
use serde::{Deserialize, Serialize};

use super::{DICE, score};

/// Six dice in one player's hands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hand {
    pub(super) stage: Stage,
    /// The faces on the table.
    pub(super) dice: Vec<u8>,
    /// The faces kept since all six were last in the hand.
    pub(super) kept: Vec<u8>,
    /// What this turn has gathered.
    pub(super) points: u64,
}

/// Where a turn stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing is rolled yet: roll.
    #[default]
    Ready,
    /// There is a roll: keep some of it.
    Rolled,
    /// Some of it is kept: keep more, roll the rest, or bank.
    Kept,
}

/// The dice of one keep.
#[derive(Debug)]
pub(super) struct Keep {
    pub(super) dice: Vec<u8>,
    pub(super) points: u64,
}

impl Hand {
    /// Rolls the dice that are not kept, or all six when all are.
    pub(super) fn roll(&mut self, rng: &mut GameRng) -> Result<(), GameError> {
        if self.stage == Stage::Rolled {
            return Err(broken("keep_first", "keep at least one die of this roll first"));
        }
        if self.kept.len() == DICE {
            self.kept.clear();
        }
        self.dice = (self.kept.len()..DICE).map(|_| rng.random_range(1..=6)).collect();
        self.stage = Stage::Rolled;
        Ok(())
    }

    /// Whether the roll has nothing to keep.
    pub(super) fn is_bust(&self) -> bool {
        self.stage == Stage::Rolled && !score::can_score(&self.dice)
    }

    /// Takes the dice at `places` off the table. Each of them must score.
    pub(super) fn keep(&mut self, places: &[u8]) -> Result<Keep, GameError> {
        if self.stage == Stage::Ready {
            return Err(broken("roll_first", "roll the dice first"));
        }
        if places.is_empty() {
            return Err(broken("keep_at_least_one", "keep at least one die"));
        }
        let mut is_taken = [false; DICE];
        let mut dice = Vec::new();
        for place in places {
            let index = usize::from(*place);
            let Some(face) = self.dice.get(index) else {
                return Err(broken("no_such_die", "there is no such die on the table")
                    .with("index", u32::from(*place)));
            };
            if is_taken[index] {
                return Err(
                    broken("die_twice", "a die counts once").with("index", u32::from(*place))
                );
            }
            is_taken[index] = true;
            dice.push(*face);
        }
        let points = score::worth(&dice).map_err(|face| {
            broken("scores_nothing", "every kept die must score").with("face", u32::from(face))
        })?;

        self.kept.extend(&dice);
        let mut place = 0..;
        self.dice.retain(|_| place.next().is_some_and(|place: usize| !is_taken[place]));
        self.points += points;
        self.stage = Stage::Kept;
        Ok(Keep { dice, points })
    }

    /// The points that may be banked now.
    pub(super) fn bankable(&self) -> Result<u64, GameError> {
        match self.stage {
            Stage::Kept => Ok(self.points),
            Stage::Ready => Err(broken("roll_first", "roll the dice first")),
            Stage::Rolled => Err(broken("keep_first", "keep at least one die of this roll first")),
        }
    }
}

fn broken(rule: &'static str, message: &'static str) -> GameError {
    GameError::invalid_move(message).with("rule", rule)
}

#[cfg(test)]
mod tests {
    use parlor_core::Scalar;
    use parlor_core::rand::SeedableRng as _;
    use proptest::prelude::*;

    use super::*;

    fn rolled(dice: &[u8]) -> Hand {
        Hand { stage: Stage::Rolled, dice: dice.to_vec(), kept: Vec::new(), points: 0 }
    }

    #[track_caller]
    fn check_refused<T: std::fmt::Debug>(
        outcome: Result<T, GameError>,
        rule: &'static str,
        detail: Option<(&str, i64)>,
    ) {
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), "INVALID_MOVE");
        assert_eq!(error.details().get("rule"), Some(&Scalar::from(rule)));
        if let Some((name, value)) = detail {
            assert_eq!(error.details().get(name), Some(&Scalar::Int(value)));
        }
        assert_eq!(error.details().len(), 1 + usize::from(detail.is_some()));
    }

    #[test]
    fn move_out_of_its_stage_is_refused_with_the_rule() {
        let mut rng = GameRng::seed_from_u64(1);
        let mut ready = Hand::default();
        check_refused(ready.keep(&[0]), "roll_first", None);
        check_refused(ready.bankable(), "roll_first", None);

        let mut rolled = rolled(&[1, 1, 2, 3, 4, 6]);
        check_refused(rolled.roll(&mut rng), "keep_first", None);
        check_refused(rolled.bankable(), "keep_first", None);
    }

    #[test]
    fn keep_that_breaks_a_rule_names_it_and_changes_nothing() {
        let before = rolled(&[1, 5, 2, 2, 3, 6]);
        for (places, rule, detail) in [
            (&[][..], "keep_at_least_one", None),
            (&[0, 6], "no_such_die", Some(("index", 6))),
            (&[255], "no_such_die", Some(("index", 255))),
            (&[0, 1, 0], "die_twice", Some(("index", 0))),
            (&[0, 5], "scores_nothing", Some(("face", 6))),
            (&[2, 3], "scores_nothing", Some(("face", 2))),
            (&[0, 1, 2, 3, 4, 5], "scores_nothing", Some(("face", 2))),
        ] {
            let mut hand = before.clone();
            check_refused(hand.keep(places), rule, detail);
            assert_eq!(hand, before);
        }
    }

    /// Three ones kept together are worth 1000, kept one by one 300: that is the player's choice.
    #[test]
    fn keeps_of_one_roll_add_up_each_counted_by_itself() {
        let mut hand = rolled(&[1, 6, 1, 5, 1, 2]);
        for (place, face, points) in [(0, 1, 100), (1, 1, 100), (1, 5, 50)] {
            let keep = hand.keep(&[place]).unwrap();
            assert_eq!((keep.dice, keep.points), (vec![face], points));
        }
        assert_eq!((&hand.dice[..], &hand.kept[..]), (&[6, 1, 2][..], &[1, 1, 5][..]));
        assert_eq!(hand.bankable().unwrap(), 250);
    }

    #[test]
    fn who_has_kept_all_six_rolls_six_again_with_the_points_so_far() {
        let mut hand = rolled(&[3, 3, 3, 1, 5, 1]);
        hand.keep(&[0, 1, 2, 3, 4, 5]).unwrap();
        assert_eq!(hand.bankable().unwrap(), 550);

        hand.roll(&mut GameRng::seed_from_u64(1)).unwrap();
        assert_eq!((hand.dice.len(), hand.kept.len(), hand.points), (6, 0, 550));
    }

    #[test]
    fn only_the_dice_that_are_not_kept_are_rolled_again() {
        let mut hand = rolled(&[1, 5, 2, 2, 3, 6]);
        hand.keep(&[0, 1]).unwrap();
        hand.roll(&mut GameRng::seed_from_u64(1)).unwrap();
        assert_eq!((hand.dice.len(), &hand.kept[..]), (4, &[1, 5][..]));
    }

    #[test]
    fn rolled_dice_show_every_face_about_as_often() {
        let mut rng = GameRng::seed_from_u64(7);
        let mut counts = [0_u32; 7];
        for _ in 0..1000 {
            let mut hand = Hand::default();
            hand.roll(&mut rng).unwrap();
            hand.dice.iter().for_each(|face| counts[usize::from(*face)] += 1);
        }
        // 1000 expected, standard deviation 29.
        assert!(counts[1..].iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    proptest! {
        /// Whatever places a client names, there are six dice, and a refusal changes nothing.
        #[test]
        fn any_keep_is_six_dice_or_refused(
            dice in prop::collection::vec(1..=6_u8, 1..=DICE),
            places in prop::collection::vec(0..8_u8, 0..8),
        ) {
            let mut hand = rolled(&dice);
            hand.kept = vec![1; DICE - dice.len()];
            let before = hand.clone();
            match hand.keep(&places) {
                Ok(keep) => {
                    prop_assert_eq!(hand.dice.len() + hand.kept.len(), DICE);
                    prop_assert_eq!(keep.dice.len(), places.len());
                    prop_assert!(keep.points >= 50);
                    prop_assert_eq!(hand.points, keep.points);
                }
                Err(_) => prop_assert_eq!(hand, before),
            }
        }
    }
}
