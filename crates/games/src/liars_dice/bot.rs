//! Bots for liar's dice, who reason from their own dice and the bids alone.
//!
//! A bot asks of each bid how likely it holds: its own dice it knows, the others show a face one time in
//! six, or in three if ones are wild. It weighs the chance that the last bid fails against the best that
//! it could bid itself. From time to time it bluffs, and then bids what it has not got.
//!
//! Both reason in the same way and differ in their measures. The cunning one also listens: who bids on a
//! face likely has some, so it counts on more of them. And it bluffs more often.

use parlor_core::rand::RngExt as _;
use parlor_core::rand::seq::IndexedRandom as _;
use parlor_core::{Bot, Bounded, GameRng, PlayerId};

use super::{Action, Bid, LiarsDice, View};

/// How a bot weighs what it believes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mind {
    /// How often it bluffs, of a hundred bids.
    bluffs_percent: u32,
    /// It bids as high as it can, as long as the bid holds with this chance.
    safe_from: f64,
    /// How many dice of the face it believes a player to have who has bid on it.
    trust: usize,
}

impl Mind {
    pub(super) const HONEST: Self = Self { bluffs_percent: 4, safe_from: 0.65, trust: 0 };

    pub(super) const CUNNING: Self = Self { bluffs_percent: 10, safe_from: 0.8, trust: 1 };

    /// How likely `bid` holds, as far as `me` can tell.
    fn chance(self, bid: &Bid, view: &View, me: PlayerId) -> f64 {
        let own = bid.matches(&view.dice, view.ones_wild);
        let unseen = dice_on_table(view) - view.dice.len();
        let is_bid_on = |player: &&PlayerId| {
            let bids = view.bids.iter();
            bids.clone().any(|other| other.player_id == **player && other.face == bid.face)
        };
        let believed: usize = view
            .dice_counts
            .iter()
            .filter(|(player, _)| **player != me && is_bid_on(player))
            .map(|(_, dice)| self.trust.min(usize::from(*dice)))
            .sum();
        let needed = usize::from(bid.count).saturating_sub(own + believed);
        let faces = if view.ones_wild && bid.face != 1 { 2 } else { 1 };
        at_least(needed, unseen - believed, f64::from(faces) / 6.0)
    }

    /// What it could bid now: of each face the `counts` lowest counts that outbid.
    fn choices(view: &View, me: PlayerId, counts: usize) -> Vec<Bid> {
        let dice = u8::try_from(dice_on_table(view)).unwrap_or(u8::MAX);
        let lowest = |face| match view.bid {
            Some(last) if face > last.face => last.count,
            Some(last) => last.count + 1,
            None => 1,
        };
        (1..=6)
            .flat_map(|face| (lowest(face)..=dice).take(counts).map(move |count| (count, face)))
            .map(|(count, face)| Bid { player_id: me, count, face })
            .collect()
    }

    /// What it bids, and with what chance it holds; `None` when no bid is left.
    fn best(self, view: &View, me: PlayerId) -> Option<(Bid, f64)> {
        let mut rated: Vec<(Bid, f64)> = Self::choices(view, me, 3)
            .into_iter()
            .map(|bid| (bid, self.chance(&bid, view, me)))
            .collect();
        // The highest bid of those that are safe enough leaves the next player the least room.
        rated.sort_by_key(|(bid, _)| (bid.count, bid.face));
        let safe = rated.iter().rev().find(|(_, chance)| *chance >= self.safe_from);
        let likeliest = || rated.iter().max_by(|(_, one), (_, other)| one.total_cmp(other));
        safe.or_else(likeliest).copied()
    }
}

impl Bot<LiarsDice> for Mind {
    fn decide(&self, view: &View, me: PlayerId, rng: &mut GameRng) -> Option<Action> {
        if view.turn != Some(me) {
            return None;
        }
        let fails = view.bid.map_or(0.0, |bid| 1.0 - self.chance(&bid, view, me));
        let Some((best, holds)) = self.best(view, me) else {
            // The highest bid there is has been made.
            return Some(Action::Challenge);
        };
        if fails > holds {
            return Some(Action::Challenge);
        }
        let bluffs = rng.random_range(0..100) < self.bluffs_percent;
        let bluff = if bluffs { Self::choices(view, me, 1).choose(rng).copied() } else { None };
        Some(bid(bluff.unwrap_or(best)))
    }
}

fn bid(bid: Bid) -> Action {
    Action::Bid {
        count: Bounded::new(bid.count.into()).expect("at most as many as there are dice"),
        face: Bounded::new(bid.face.into()).expect("a face of a die"),
    }
}

fn dice_on_table(view: &View) -> usize {
    view.dice_counts.values().copied().map(usize::from).sum()
}

/// The chance that of `dice` dice at least `needed` show what one does with the chance `each`.
fn at_least(needed: usize, dice: usize, each: f64) -> f64 {
    // The chance of exactly so many of the dice looked at so far, by how many.
    let mut exactly = vec![0.0; dice + 1];
    exactly[0] = 1.0;
    for looked_at in 1..=dice {
        for matches in (0..=looked_at).rev() {
            let one_less = if matches == 0 { 0.0 } else { exactly[matches - 1] };
            exactly[matches] = exactly[matches] * (1.0 - each) + one_less * each;
        }
    }
    exactly.iter().skip(needed).sum()
}

#[cfg(test)]
mod tests {
    use parlor_core::rand::SeedableRng as _;

    use super::super::tests::{bid_of, view};
    use super::*;

    const ME: PlayerId = PlayerId(1);
    const OTHER: PlayerId = PlayerId(2);

    fn is_near(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn chance_of_at_least_so_many_is_the_binomial_one() {
        for (needed, dice, each, expect) in [
            (0, 5, 1.0 / 6.0, 1.0),
            (0, 0, 1.0 / 6.0, 1.0),
            (1, 0, 1.0 / 6.0, 0.0),
            (6, 5, 1.0 / 3.0, 0.0),
            (5, 5, 1.0 / 3.0, 1.0 / 243.0),
            (1, 1, 1.0 / 6.0, 1.0 / 6.0),
            (1, 2, 1.0 / 6.0, 11.0 / 36.0),
            // 1 - (2/3)^5 - 5 (1/3) (2/3)^4
            (2, 5, 1.0 / 3.0, 131.0 / 243.0),
        ] {
            let chance = at_least(needed, dice, each);
            assert!(is_near(chance, expect), "{needed} of {dice}: {chance}, expected {expect}");
        }
    }

    #[test]
    fn chance_comes_from_the_own_dice_and_the_number_of_the_others() {
        let mut view = view(ME, &[1, 3, 3, 5, 6]);
        let chance =
            |view: &View, count, face| Mind::HONEST.chance(&bid_of(OTHER, count, face), view, ME);
        // Two threes and a wild one of its own.
        assert!(is_near(chance(&view, 3, 3), 1.0));
        assert!(is_near(chance(&view, 5, 3), 131.0 / 243.0));
        assert!(is_near(chance(&view, 1, 1), 1.0));
        assert!(is_near(chance(&view, 2, 1), 1.0 - (5.0_f64 / 6.0).powi(5)));
        assert!(is_near(chance(&view, 9, 3), 0.0), "it has two dice that are no threes");

        view.ones_wild = false;
        assert!(is_near(chance(&view, 3, 3), 1.0 - (5.0_f64 / 6.0).powi(5)));
        view.dice_counts.insert(OTHER, 0);
        assert!(is_near(chance(&view, 3, 3), 0.0));
    }

    #[test]
    fn only_the_cunning_one_believes_what_others_bid() {
        let mut view = view(ME, &[2, 3, 3, 5, 6]);
        view.bids = vec![bid_of(OTHER, 2, 4)];
        let bid = bid_of(OTHER, 2, 4);
        assert!(is_near(Mind::HONEST.chance(&bid, &view, ME), 131.0 / 243.0));
        // One is taken for given, one of four others is needed.
        let expect = 1.0 - (2.0_f64 / 3.0).powi(4);
        assert!(is_near(Mind::CUNNING.chance(&bid, &view, ME), expect));
        // Its own bid says nothing about the others' dice.
        view.bids = vec![bid_of(ME, 2, 4)];
        assert!(is_near(Mind::CUNNING.chance(&bid, &view, ME), 131.0 / 243.0));
    }

    #[test]
    fn bot_challenges_what_cannot_hold_and_raises_what_must() {
        let mut rng = GameRng::seed_from_u64(1);
        for mind in [Mind::HONEST, Mind::CUNNING] {
            let mut view = view(ME, &[2, 2, 3, 5, 5]);
            view.bid = Some(bid_of(OTHER, 8, 4));
            view.bids = vec![bid_of(OTHER, 8, 4)];
            assert_eq!(mind.decide(&view, ME, &mut rng), Some(Action::Challenge));

            view.bid = Some(bid_of(OTHER, 1, 2));
            view.bids = vec![bid_of(OTHER, 1, 2)];
            let action = mind.decide(&view, ME, &mut rng);
            assert!(matches!(action, Some(Action::Bid { .. })), "{action:?}");
        }
    }

    #[test]
    fn bot_challenges_the_highest_bid_there_is_even_if_it_must_hold() {
        let mut view = view(ME, &[6]);
        view.dice_counts = [(ME, 1), (OTHER, 1)].into_iter().collect();
        view.bid = Some(bid_of(OTHER, 2, 6));
        let mut rng = GameRng::seed_from_u64(1);
        assert_eq!(Mind::HONEST.decide(&view, ME, &mut rng), Some(Action::Challenge));
    }

    #[test]
    fn bot_waits_while_it_is_not_its_turn() {
        let mut rng = GameRng::seed_from_u64(0);
        let view = view(OTHER, &[1, 2, 3, 4, 5]);
        assert_eq!(Mind::CUNNING.decide(&view, ME, &mut rng), None);
    }

    /// A bluff is a bid on a face of which it has none, though there is one of which it has five.
    #[test]
    fn bots_bluff_about_as_often_as_their_measure_says() {
        let mut view = view(ME, &[4, 4, 4, 4, 4]);
        view.ones_wild = false;
        for (mind, range) in [(Mind::HONEST, 10..60), (Mind::CUNNING, 55..115)] {
            let mut rng = GameRng::seed_from_u64(3);
            let bluffs = (0..1_000)
                .filter(|_| match mind.decide(&view, ME, &mut rng) {
                    Some(Action::Bid { face, .. }) => face.get() != 4,
                    other => panic!("{other:?}"),
                })
                .count();
            // Of a hundred bluffs 17 hit its own face by chance.
            assert!(range.contains(&bluffs), "{mind:?}: {bluffs}");
        }
    }
}
