//! Bids: which one outbids which, and when one holds.
//!
//! A bid names a count and a face. It outbids another that has a lower count, whatever the faces, or
//! the same count and a lower face. Ones are the lowest face, wild or not. Nobody may bid more dice
//! than there are.
//!
//! A bid holds if at least as many dice show its face. When ones are wild, each one counts as the face
//! that was bid. In a bid on ones they stand for themselves, so that it is half as likely; that makes
//! it no higher.

use parlor_core::{Bounded, PlayerId};
use serde::{Deserialize, Serialize};

/// How many dice a bid may name; the dice on the table are fewer.
pub type Count = Bounded<1, 100>;

/// What a die shows.
pub type Face = Bounded<1, 6>;

/// "There are at least `count` dice that show `face`."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bid {
    /// Who says so.
    pub player_id: PlayerId,
    /// How many.
    pub count: u8,
    /// Which face, from 1 to 6.
    pub face: u8,
}

impl Bid {
    /// Whether it outbids `other`.
    pub fn outbids(&self, other: &Self) -> bool {
        (self.count, self.face) > (other.count, other.face)
    }

    /// How many of `dice` count for it.
    pub fn matches(&self, dice: &[u8], ones_wild: bool) -> usize {
        dice.iter().filter(|die| **die == self.face || (ones_wild && **die == 1)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bid(count: u8, face: u8) -> Bid {
        Bid { player_id: PlayerId(1), count, face }
    }

    #[test]
    fn higher_count_or_same_count_and_higher_face_outbids() {
        for (later, earlier, expect) in [
            ((2, 3), (2, 2), true),
            ((2, 3), (2, 3), false),
            ((2, 2), (2, 3), false),
            ((3, 1), (2, 6), true),
            ((3, 2), (2, 5), true),
            ((2, 6), (3, 1), false),
            // Ones are a face like others.
            ((2, 1), (1, 6), true),
            ((2, 1), (2, 2), false),
            ((2, 2), (2, 1), true),
            ((1, 1), (2, 6), false),
        ] {
            let (bid, before) = (bid(later.0, later.1), bid(earlier.0, earlier.1));
            assert_eq!(bid.outbids(&before), expect, "{later:?} after {earlier:?}");
        }
    }

    #[test]
    fn every_two_different_bids_are_ordered_one_way() {
        let all: Vec<Bid> =
            (1..=30).flat_map(|count| (1..=6).map(move |face| bid(count, face))).collect();
        for (place, one) in all.iter().enumerate() {
            for (other_place, other) in all.iter().enumerate() {
                assert_eq!(one.outbids(other), place > other_place, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn wild_ones_count_for_every_face_and_once_for_their_own() {
        let dice = [1, 1, 2, 4, 4, 4];
        for (face, wild, tame) in [(1, 2, 2), (2, 3, 1), (3, 2, 0), (4, 5, 3), (6, 2, 0)] {
            assert_eq!(bid(1, face).matches(&dice, true), wild, "{face}");
            assert_eq!(bid(1, face).matches(&dice, false), tame, "{face}");
        }
    }
}
