//! What dice are worth.
//!
//! Every die of a keep must score, alone or with others: a 1, a 5, three or more of a kind, a
//! straight. A die counts once; of all ways to share the dice out, the one with the most points
//! counts. Only one is ever worth a thought: whoever has a straight has dice in it that score
//! in no other way, and as many of a kind as there are beat any part of them.

/// The points for keeping `dice`, or a face among them that scores nothing.
pub(super) fn worth(dice: &[u8]) -> Result<u64, u8> {
    let mut counts = tally(dice);
    let mut points = 0;
    for (low, high, worth) in STRAIGHTS {
        let straight = &mut counts[low..=high];
        if straight.iter().all(|count| *count > 0) {
            straight.iter_mut().for_each(|count| *count -= 1);
            points += worth;
            break;
        }
    }
    for (face, count) in (1..).zip(&counts[1..]) {
        points += worth_of_kind(face, *count).ok_or(face)?;
    }
    Ok(points)
}

/// Whether anything among `dice` can be kept. Each straight has a 1 or a 5 in it.
pub(super) fn can_score(dice: &[u8]) -> bool {
    let counts = tally(dice);
    counts[1] > 0 || counts[5] > 0 || counts.iter().any(|count| *count >= OF_A_KIND_MIN)
}

/// How many dice show each face; index 0 stays 0.
fn tally(dice: &[u8]) -> [u32; FACES + 1] {
    let mut counts = [0; FACES + 1];
    for face in dice {
        counts[usize::from(*face)] += 1;
    }
    counts
}

/// The points for `count` dice that show `face`, or `None` when one of them scores nothing.
fn worth_of_kind(face: u8, count: u32) -> Option<u64> {
    if count >= OF_A_KIND_MIN {
        let three = if face == 1 { 1000 } else { 100 * u64::from(face) };
        return Some(three << (count - OF_A_KIND_MIN));
    }
    match face {
        1 => Some(100 * u64::from(count)),
        5 => Some(50 * u64::from(count)),
        _ if count == 0 => Some(0),
        _ => None,
    }
}

const FACES: usize = 6;

const OF_A_KIND_MIN: u32 = 3;

/// From which face to which, and the points; the longest first.
const STRAIGHTS: [(usize, usize, u64); 3] = [(1, 6, 1500), (2, 6, 750), (1, 5, 500)];

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::DICE;
    use super::*;

    /// Every set that scores, its dice sorted, and its points: the rules written out.
    fn scoring_sets() -> HashMap<Vec<u8>, u64> {
        let mut sets = HashMap::from([
            (vec![1], 100),
            (vec![5], 50),
            (vec![1, 2, 3, 4, 5], 500),
            (vec![2, 3, 4, 5, 6], 750),
            (vec![1, 2, 3, 4, 5, 6], 1500),
        ]);
        for (face, three) in [(1, 1000), (2, 200), (3, 300), (4, 400), (5, 500), (6, 600)] {
            for (count, times) in [(3, 1), (4, 2), (5, 4), (6, 8)] {
                sets.insert(vec![face; count], three * times);
            }
        }
        sets
    }

    /// The best of all partitions of `dice` into scoring sets, found by trying each: the set
    /// with the first die in it, and the rest in the same manner.
    fn best_partition(dice: &[u8], sets: &HashMap<Vec<u8>, u64>) -> Option<u64> {
        let Some((first, others)) = dice.split_first() else {
            return Some(0);
        };
        (0..1_u32 << others.len())
            .filter_map(|with| {
                let (mut set, mut rest) = (vec![*first], Vec::new());
                for (place, face) in others.iter().enumerate() {
                    if with >> place & 1 == 1 { set.push(*face) } else { rest.push(*face) }
                }
                set.sort_unstable();
                Some(sets.get(&set)? + best_partition(&rest, sets)?)
            })
            .max()
    }

    /// Every roll of `count` dice.
    fn rolls(count: usize) -> impl Iterator<Item = Vec<u8>> {
        (0..FACES.pow(u32::try_from(count).unwrap())).map(move |number| {
            (0..count)
                .scan(number, |number, _| {
                    let face = u8::try_from(*number % FACES).unwrap() + 1;
                    *number /= FACES;
                    Some(face)
                })
                .collect()
        })
    }

    /// All 6 + 6^2 + … + 6^6 rolls. What is worth depends on the faces and not on their order,
    /// which the second half of this proves, so the reference is asked once for each set of faces.
    #[test]
    fn every_roll_is_worth_its_best_partition_in_whatever_order_it_lies() {
        let sets = scoring_sets();
        let mut known = HashMap::new();
        for dice in (1..=DICE).flat_map(rolls) {
            let mut sorted = dice.clone();
            sorted.sort_unstable();
            let best =
                *known.entry(sorted).or_insert_with_key(|sorted| best_partition(sorted, &sets));
            assert_eq!(worth(&dice).ok(), best, "{dice:?}");
        }
        assert_eq!(known.len(), 923, "as many as there are multisets of one to six dice");
    }

    #[test]
    fn roll_busts_exactly_when_no_part_of_it_is_worth_anything() {
        for dice in (1..=DICE).flat_map(rolls) {
            let some_part_scores = (1..1_u32 << dice.len()).any(|part| {
                let kept: Vec<u8> = (0..dice.len())
                    .filter(|place| part >> place & 1 == 1)
                    .map(|place| dice[place])
                    .collect();
                worth(&kept).is_ok()
            });
            assert_eq!(can_score(&dice), some_part_scores, "{dice:?}");
        }
    }

    #[test]
    fn die_that_scores_nothing_is_named() {
        for (dice, expect) in [
            (&[1, 5][..], Ok(150)),
            (&[1, 1, 1, 1], Ok(2000)),
            (&[1, 2, 3, 4, 5, 1], Ok(600)),
            (&[2, 3, 4, 5, 6, 5], Ok(800)),
            (&[2, 2, 2, 3, 3, 3], Ok(500)),
            (&[2, 2], Err(2)),
            (&[1, 4, 5], Err(4)),
            (&[1, 2, 3, 4, 5, 3], Err(3)),
        ] {
            assert_eq!(worth(dice), expect, "{dice:?}");
        }
    }
}
