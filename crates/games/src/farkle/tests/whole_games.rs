//! Games from the start to the end, played by bots, and what holds after every step of them.

use parlor_core::rand::RngExt as _;
use parlor_core::{Bounded, Phase, Viewer};
use parlor_testkit::{BotGames, Playroom};

use crate::farkle::{DICE, Farkle, Options, Stage, score};

/// What is true of every state that players see.
#[track_caller]
fn check_invariants(room: &Playroom<Farkle>) {
    let (before, view) = (room.view_before(Viewer::Spectator), room.view());
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
    if room.before().phase == Phase::Lobby {
        return;
    }
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

#[test]
fn bots_play_every_game_to_its_end_and_it_can_be_played_again() {
    let games = BotGames::<Farkle>::new(Options::default()).games(100).options(|rng| Options {
        target_score: Bounded::new(rng.random_range(500..=10_000)).unwrap(),
        turn_seconds: Bounded::new(rng.random_range(5..=60)).unwrap(),
    });
    games.run(|room| {
        check_invariants(room);
        if let Some(outcome) = room.outcome() {
            assert_eq!(Some(outcome.winner), room.view().winner);
            assert_eq!(outcome.scores, room.view().scores);
            room.check_replays();
        }
    });
}
