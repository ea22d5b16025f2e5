//! Games that bots play among themselves.

use std::collections::BTreeSet;

use parlor_core::{Phase, PlayerId, SeatKind};
use parlor_testkit::{BotGames, Playroom};

use crate::cards::{Cards, Fault, Options};
use crate::faults::check_fails;

fn games() -> BotGames<Cards> {
    BotGames::new(Options {})
}

#[test]
fn check_is_called_from_the_start_on_after_every_change_with_what_was_before() {
    let mut changes = Vec::new();
    let mut played = 0;
    let outcomes = games().games(5).bots(["any", "first"]).run(|room| {
        changes.push(room.changes());
        assert!(room.state().hands.iter().zip(&room.before().state.hands).all(|(now, before)| {
            now.1.len() == before.1.len() || now.1.len() + 1 == before.1.len()
        }));
        let counts = |counts: &parlor_core::PlayerMap<usize>| counts.values().sum::<usize>();
        let has_played =
            counts(&room.view().counts) + 1 == counts(&room.view_before(PlayerId(1)).counts);
        assert_eq!(room.take_events().is_empty(), !has_played);
        played += u32::from(has_played);
    });
    assert_eq!(outcomes.len(), 5);
    assert_eq!(played, 5 * 9, "the first to move has played five cards, the other four");
    // Two sit down, the game begins, and nine cards are played.
    assert_eq!(changes, (0..5).flat_map(|_| 3..=12).collect::<Vec<u64>>());
}

#[test]
fn players_are_as_asked_for_or_as_many_as_the_rules_allow() {
    let seats = |room: &Playroom<Cards>| {
        let snapshot = room.room().head();
        (snapshot.count(SeatKind::Human), snapshot.count(SeatKind::Bot))
    };
    games().games(3).bots(["any", "first", "any"]).run(|room| assert_eq!(seats(room), (1, 2)));
    let mut seen = BTreeSet::new();
    games().games(40).run(|room| {
        seen.insert(seats(room));
    });
    assert_eq!(seen, BTreeSet::from([(1, 1), (1, 2), (1, 3)]));
}

#[test]
fn same_seed_gives_the_same_game_and_another_seed_another() {
    let hands = |seed| {
        let mut hands = Vec::new();
        games().games(1).seed(seed).run(|room| hands.push(room.state().hands.clone()));
        hands
    };
    assert_eq!(hands(7), hands(7));
    assert_ne!(hands(7), hands(8));
}

#[test]
fn failing_check_fails_in_the_game_that_it_failed_in() {
    let mut game = 0;
    check_fails("the third game", || {
        games().games(5).seed(100).run(|room| {
            // Two to four sit down, and the game begins.
            game += u32::from(room.before().phase == Phase::Lobby);
            assert!(game < 3, "the third game");
        });
    });
}

#[test]
fn step_more_than_may_be_fails() {
    games().games(4).bots(["first", "first"]).steps_max(40).run(|_| {});
    let mut checks = 0;
    check_fails("the game does not end within 40 steps", || {
        BotGames::of(Cards { fault: Fault::NeverEnds }, Options {})
            .steps_max(40)
            .run(|_| checks += 1);
    });
    assert!((20..=41).contains(&checks), "{checks} changes, the start included");
}

#[test]
fn with_unrest_people_come_and_go_and_whatever_happens_can_be_played_again() {
    let (mut watched, mut were_away, mut left) = (false, false, false);
    games().games(40).with_unrest().run(|room| {
        let snapshot = room.room().head();
        watched |= snapshot.count(SeatKind::Spectator) > 0;
        were_away |= snapshot.roster.seats().any(|seat| !seat.is_present());
        left |= snapshot.roster.seats().count() < room.before().roster.seats().count();
    });
    assert!(watched && were_away && left, "{watched} {were_away} {left}");
}

/// Plays in a process of its own, whose environment it can choose. There it is this very test that plays.
#[test]
fn environment_chooses_the_games_and_one_that_fails_says_how_to_play_it_again() {
    const NAME: &str =
        "bots::environment_chooses_the_games_and_one_that_fails_says_how_to_play_it_again";
    if std::env::var("KIT_PLAYS").is_ok() {
        games().games(3).seed(10).run(|room| {
            if room.before().phase == Phase::Lobby {
                eprintln!("a game begins");
            }
            assert!(std::env::var("KIT_FAILS").is_err() || room.changes() < 8, "as it is to");
        });
        return;
    }

    let play = |variables: &[(&str, &str)]| {
        let program = std::env::current_exe().expect("the tests are a program");
        let mut command = std::process::Command::new(program);
        command.args(["--exact", NAME, "--nocapture"]).env("KIT_PLAYS", "1");
        command.env_remove("PARLOR_GAMES").env_remove("PARLOR_GAME_SEED");
        command.envs(variables.iter().copied());
        let output = command.output().expect("the program starts");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), told.matches("a game begins").count(), told)
    };
    for (variables, begun) in
        [(&[][..], 3), (&[("PARLOR_GAMES", "2")], 6), (&[("PARLOR_GAME_SEED", "12")], 1)]
    {
        let (succeeds, games, told) = play(variables);
        assert!(succeeds && games == begun, "{variables:?}: {games} games\n{told}");
    }

    let (succeeds, games, told) = play(&[("KIT_FAILS", "1")]);
    assert!(!succeeds && games == 1);
    assert!(told.contains(&format!("PARLOR_GAME_SEED=10 cargo test {NAME}")), "{told}");
    let (succeeds, games, told) = play(&[("KIT_FAILS", "1"), ("PARLOR_GAME_SEED", "12")]);
    assert!(!succeeds && games == 1 && told.contains("the game of seed 12 failed"), "{told}");
}
