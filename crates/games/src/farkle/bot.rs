//! Bots for farkle: one that takes what it has, and one that rolls on.
//!
//! Both reason in the same way and differ in their measures. A keep is worth its points and
//! something for each die left to roll. From how many points on a turn is banked depends on the
//! dice left: a roll of one die is lost two times in three, a roll of six once in 32.

use parlor_core::{Bot, GameRng, PlayerId};

use super::{Action, DICE, Farkle, Stage, View, score};

/// How a bot weighs points against luck.
#[derive(Clone, Copy, Debug)]
pub(super) struct Temper {
    /// What one more die to roll is worth, in points.
    die_points: u64,
    /// From how many points on it banks, by the number of dice that it would roll.
    bank_from: [u64; DICE + 1],
}

impl Temper {
    pub(super) const CAREFUL: Self =
        Self { die_points: 0, bank_from: [0, 50, 150, 300, 450, 800, 1500] };

    pub(super) const BOLD: Self =
        Self { die_points: 75, bank_from: [0, 300, 400, 700, 1200, 2500, 6000] };

    /// The best dice to keep: their places on the table.
    fn best_keep(self, dice: &[u8]) -> Vec<u8> {
        (1..1_u8 << dice.len())
            .filter_map(|chosen| {
                let places: Vec<u8> =
                    (0_u8..).take(dice.len()).filter(|place| chosen >> place & 1 == 1).collect();
                let faces: Vec<u8> = places.iter().map(|place| dice[usize::from(*place)]).collect();
                let points = score::worth(&faces).ok()?;
                let left = dice_to_roll(dice.len() - places.len());
                Some((points + self.die_points * left as u64, places))
            })
            .max()
            .map_or_else(Vec::new, |(_, places)| places)
    }

    fn banks(self, view: &View, me: PlayerId) -> bool {
        let total = view.scores.get(&me).copied().unwrap_or(0) + view.turn_points;
        if view.final_round {
            // A total that does not win is worth nothing: only rolling on may help.
            return view.scores.values().all(|score| *score < total);
        }
        total >= view.target_score.get().unsigned_abs()
            || view.turn_points >= self.bank_from[dice_to_roll(view.dice.len())]
    }
}

impl Bot<Farkle> for Temper {
    fn decide(&self, view: &View, me: PlayerId, _rng: &mut GameRng) -> Option<Action> {
        if view.turn != Some(me) {
            return None;
        }
        Some(match view.stage {
            Stage::Ready => Action::Roll,
            Stage::Rolled => Action::Keep { dice: self.best_keep(&view.dice) },
            Stage::Kept if self.banks(view, me) => Action::Bank,
            Stage::Kept => Action::Roll,
        })
    }
}

/// How many dice the next roll has when `left` are on the table.
fn dice_to_roll(left: usize) -> usize {
    if left == 0 { DICE } else { left }
}

#[cfg(test)]
mod tests {
    use super::super::tests::view;
    use super::*;

    const ME: PlayerId = PlayerId(1);

    #[test]
    fn careful_keeps_all_points_and_bold_keeps_dice_to_roll() {
        for (dice, careful, bold) in [
            (&[1, 5, 2, 3, 4, 6][..], &[0, 1, 2, 3, 4, 5][..], &[0, 1, 2, 3, 4, 5][..]),
            (&[1, 5, 2, 3, 3, 6], &[0, 1], &[0]),
            (&[2, 2, 2, 4, 6, 6], &[0, 1, 2], &[0, 1, 2]),
            (&[5, 5, 4, 6], &[0, 1], &[1]),
            (&[1, 5], &[0, 1], &[0, 1]),
        ] {
            assert_eq!(Temper::CAREFUL.best_keep(dice), careful, "careful with {dice:?}");
            assert_eq!(Temper::BOLD.best_keep(dice), bold, "bold with {dice:?}");
        }
    }

    #[test]
    fn bold_never_banks_before_careful_would() {
        for left in 0..DICE {
            let mut view = view(ME);
            view.dice = vec![2; left];
            let mut banks_from = |temper: Temper| {
                (1..=200).map(|fifties| 50 * fifties).find(|points| {
                    view.turn_points = *points;
                    temper.banks(&view, ME)
                })
            };
            let (careful, bold) = (banks_from(Temper::CAREFUL), banks_from(Temper::BOLD));
            assert!(careful < bold, "with {left} dice left: {careful:?} and {bold:?}");
        }
    }

    #[test]
    fn bot_banks_what_reaches_the_target() {
        let mut view = view(ME);
        view.scores.insert(ME, 9_800);
        view.dice = vec![2; 5];
        view.turn_points = 200;
        assert!(Temper::BOLD.banks(&view, ME));
        view.turn_points = 150;
        assert!(!Temper::BOLD.banks(&view, ME));
    }

    /// An equal total does not win, since the other had it first.
    #[test]
    fn bot_rolls_on_in_the_last_round_until_it_would_win() {
        let mut view = view(ME);
        view.final_round = true;
        view.scores.insert(ME, 9_000);
        view.scores.insert(PlayerId(2), 10_000);
        view.dice = vec![2];
        for (points, expect) in [(950, false), (1_000, false), (1_050, true)] {
            view.turn_points = points;
            assert_eq!(Temper::CAREFUL.banks(&view, ME), expect, "{points}");
        }
    }

    #[test]
    fn bot_waits_while_it_is_not_its_turn() {
        use parlor_core::rand::SeedableRng as _;

        let mut rng = GameRng::seed_from_u64(0);
        assert_eq!(Temper::BOLD.decide(&view(PlayerId(2)), ME, &mut rng), None);
        assert_eq!(Temper::BOLD.decide(&view(ME), ME, &mut rng), Some(Action::Roll));
    }
}
