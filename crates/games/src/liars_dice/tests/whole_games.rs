//! Games from the start to the end, played by bots, and what holds after every step of them.

use parlor_core::rand::SeedableRng as _;
use parlor_core::{Bounded, Command, Game as _, GameRng, PlayerId};
use parlor_testkit::Playroom;
use proptest::prelude::*;

use super::seen_by;
use crate::bot_games::bot_games;
use crate::liars_dice::{DICE, LiarsDice, Options, View};

/// What is true of every state that players see, and of every step from one to the next.
#[track_caller]
fn check_invariants(room: &Playroom<LiarsDice>, before: &View) {
    let view = room.view();
    let dice: usize = view.dice_counts.values().copied().map(usize::from).sum();
    assert_eq!(view.players, before.players);
    assert!(view.dice.is_empty(), "a spectator sees none");
    for (player, count) in &view.dice_counts {
        assert!(*count <= before.dice_counts[player], "dice are never won back");
        let own = seen_by(room, *player).dice;
        assert_eq!(own.len(), usize::from(*count));
        assert!(own.iter().all(|die| (1..=6).contains(die)));
    }
    let dice_before: usize = before.dice_counts.values().copied().map(usize::from).sum();
    assert_eq!(dice_before - dice, usize::from(view.last_reveal != before.last_reveal));

    assert_eq!(view.bid, view.bids.last().copied());
    assert!(view.bids.windows(2).all(|pair| pair[1].outbids(&pair[0])), "bids rise");
    assert!(view.bids.iter().all(|bid| usize::from(bid.count) <= dice));
    if view.last_reveal == before.last_reveal {
        assert_eq!(view.round, before.round);
        assert!(view.bids.len() >= before.bids.len());
    } else {
        let ended = u32::from(view.winner.is_some());
        assert_eq!((view.round, view.bids.len()), (before.round + 1 - ended, 0));
    }

    let in_play = view.dice_counts.values().filter(|count| **count > 0).count();
    assert_eq!(view.winner.is_some(), in_play == 1);
    assert_eq!(view.turn.is_some(), view.winner.is_none());
    assert_eq!(view.turn.is_some(), view.deadline.is_some());
    assert!(view.deadline.is_none_or(|at| at > room.now()));
    assert!(view.bank_from <= view.deadline);
    assert!(view.turn.is_none_or(|player| view.dice_counts[&player] > 0), "who is out has no turn");
    assert!(view.winner.is_none_or(|player| view.dice_counts[&player] > 0));
}

/// A game from its start to its end, in which each decides as a bot of its level. The host does so too, as a
/// person would: without the thinking time.
#[track_caller]
fn play(options: Options, seed: u64, is_cunning: &[bool]) -> Playroom<LiarsDice> {
    let level = |is_cunning| if is_cunning { "cunning" } else { "honest" };
    let mut room = Playroom::<LiarsDice>::new(options, seed);
    let host = room.join("Ada");
    for is_cunning in &is_cunning[1..] {
        room.add_bot(host, level(*is_cunning));
    }
    room.command(Command::Start(host)).unwrap();
    let mind = LiarsDice.bot(level(is_cunning[0])).unwrap();
    let mut rng = GameRng::seed_from_u64(seed);

    for _ in 0..STEPS_MAX {
        if room.outcome().is_some() {
            break;
        }
        let before = room.view();
        match mind.decide(&seen_by(&room, host), host, &mut rng) {
            Some(action) => room.act(host, action).unwrap(),
            None => room.step(),
        }
        check_invariants(&room, &before);
    }
    let outcome = room.outcome().expect("a game ends within so many steps");
    let view = room.view();
    let with_dice: Vec<PlayerId> =
        view.players.iter().copied().filter(|player| view.dice_counts[player] > 0).collect();
    assert_eq!(with_dice, [outcome.winner], "exactly one is left");
    assert_eq!(view.dice_counts[&outcome.winner], outcome.dice_left);
    let lost = is_cunning.len() * DICE - usize::from(outcome.dice_left);
    assert_eq!(usize::try_from(outcome.rounds).unwrap(), lost, "each round costs one die");
    room
}

/// How many of `games` the first of two levels wins against the second.
fn wins(games: u64, first_is_cunning: bool, second_is_cunning: bool) -> u64 {
    (0..games)
        .filter(|seed| {
            let room = play(Options::default(), *seed, &[first_is_cunning, second_is_cunning]);
            room.outcome().unwrap().winner == PlayerId(1)
        })
        .count() as u64
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A seed on disk would be a file that the build leaves in the sources.
        failure_persistence: None,
        ..ProptestConfig::with_cases(bot_games(300))
    })]

    /// One in eight is played again, which takes much longer than to play it.
    #[test]
    fn bots_play_every_game_to_its_end_and_it_can_be_played_again(
        seed: u64,
        is_cunning in prop::collection::vec(any::<bool>(), 2..=6),
        ones_wild: bool,
        turn_seconds in 5..=60_i64,
        bank_seconds in 0..=60_i64,
    ) {
        let options = Options {
            ones_wild,
            turn_seconds: Bounded::new(turn_seconds).unwrap(),
            bank_seconds: Bounded::new(bank_seconds).unwrap(),
        };
        let room = play(options, seed, &is_cunning);
        if seed % 8 == 0 {
            room.check_replays();
        }
    }
}

/// Thirty rounds at most, of hardly a dozen bids each, and as many idle steps.
const STEPS_MAX: usize = 30 * 40 * 2;

/// By chance it would be 150, standard deviation 9.
#[test]
fn cunning_bot_wins_more_often_than_not_against_an_honest_one() {
    let (first, second) = (wins(150, true, false), 150 - wins(150, false, true));
    assert!(first + second > 180, "it wins {first} and {second} of 150");
}
