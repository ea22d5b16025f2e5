//! Games from the start to the end, played by bots, and what holds after every step of them.

use parlor_core::rand::SeedableRng as _;
use parlor_core::{Bounded, Command, Game as _, GameRng};
use proptest::prelude::*;

use crate::bot_games::bot_games;
use crate::farkle::{DICE, Farkle, Options, Stage, View, score};
use crate::playroom::Playroom;

/// What is true of every state that players see.
#[track_caller]
fn check_invariants(room: &Playroom<Farkle>, before: &View) {
    let view = room.view();
    let on_table = view.dice.len() + view.kept.len();
    match view.stage {
        Stage::Ready => assert_eq!((on_table, view.turn_points), (0, 0)),
        Stage::Rolled => {
            assert_eq!(on_table, DICE);
            assert!(score::can_score(&view.dice), "a roll without a keep has bust");
        }
        Stage::Kept => {
            assert_eq!(on_table, DICE);
            assert!(view.turn_points >= 50 && !view.kept.is_empty());
        }
    }
    assert!(view.dice.iter().chain(&view.kept).all(|face| (1..=6).contains(face)));
    assert_eq!(view.turn.is_some(), view.winner.is_none());
    assert_eq!(view.turn.is_some(), view.deadline.is_some());
    assert!(view.deadline.is_none_or(|at| at > room.now()));
    assert!(view.turn.is_none_or(|player| view.players.contains(&player)));
    assert_eq!(view.players, before.players);

    let target = view.target_score.get().unsigned_abs();
    assert_eq!(view.final_round, view.scores.values().any(|score| *score >= target));
    let mut gained = 0;
    for (player, score) in &view.scores {
        let had = before.scores[player];
        assert!(*score >= had, "points in the bank are safe");
        if *score > had {
            assert_eq!((before.turn, *score), (Some(*player), had + before.turn_points));
            gained += 1;
        }
    }
    assert!(gained <= 1);
    if let Some(winner) = view.winner {
        assert_eq!(Some(&view.scores[&winner]), view.scores.values().max());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(bot_games(32)))]

    /// The host plays by a bot's decisions too, as a person would: without the thinking time.
    #[test]
    fn bots_play_every_game_to_its_end_and_it_can_be_played_again(
        seed: u64,
        is_bold in prop::collection::vec(any::<bool>(), 2..=6),
        target in 500..=10_000_i64,
        turn_seconds in 5..=60_i64,
    ) {
        let options = Options {
            target_score: Bounded::new(target).unwrap(),
            turn_seconds: Bounded::new(turn_seconds).unwrap(),
        };
        let level = |is_bold| if is_bold { "bold" } else { "careful" };
        let mut room = Playroom::<Farkle>::new(options, seed);
        let host = room.join("Ada");
        for is_bold in &is_bold[1..] {
            room.add_bot(host, level(*is_bold));
        }
        room.command(Command::Start(host)).unwrap();
        let mind = Farkle.bot(level(is_bold[0])).unwrap();
        let mut rng = GameRng::seed_from_u64(seed);

        for _ in 0..STEPS_MAX {
            if room.outcome().is_some() {
                break;
            }
            let before = room.view();
            match mind.decide(&before, host, &mut rng) {
                Some(action) => room.act(host, action).unwrap(),
                None => room.step(),
            }
            check_invariants(&room, &before);
        }
        let outcome = room.outcome().expect("a game ends within so many steps");
        prop_assert_eq!(Some(outcome.winner), room.view().winner);
        prop_assert_eq!(&outcome.scores, &room.view().scores);
        room.check_replays(&options, seed);
    }
}

/// Some forty turns for each of six players, ten actions each, and as many idle steps.
const STEPS_MAX: usize = 6 * 40 * 10 * 2;
