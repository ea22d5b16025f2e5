//! What an author tests of a first game: its rules, that it keeps its secret, and all that every game must hold.

use parlor_server::game::rand::RngExt as _;
use parlor_testkit::{Playroom, check_game_with, moves};

use super::*;

/// Ada and Bob, who are to guess 40.
fn game() -> (Playroom<GuessingGame>, [PlayerId; 2]) {
    let mut room = Playroom::of(GuessingGame, Options {}, 1);
    let players = [room.join("Ada"), room.join("Bob")];
    room.start();
    room.arrange(|state| state["secret"] = 40.into());
    (room, players)
}

fn guess(number: i64) -> Guess {
    Guess { number: Bounded::new(number).expect("from 1 to 100") }
}

#[test]
fn each_guess_narrows_the_range_until_one_hits() {
    let (mut room, [ada, bob]) = game();
    for (player, number, low, high) in [(ada, 20, 21, 100), (bob, 60, 21, 59), (ada, 10, 21, 59)] {
        room.act(player, guess(number)).unwrap();
        assert_eq!((room.view().low, room.view().high), (low, high));
    }
    room.act(bob, guess(40)).unwrap();
    assert_eq!(room.outcome().unwrap().winner, Some(bob));
}

#[test]
fn nobody_can_tell_the_number_before_it_is_hit() {
    let (room, [ada, bob]) = game();
    let mut twins = room.twins([], |state| state["secret"] = 45.into());
    twins.play(|room| {
        room.act(ada, guess(20)).unwrap();
        room.act(bob, guess(60)).unwrap();
    });
}

#[test]
fn whatever_holds_for_every_game_holds() {
    let mind = moves(|view: &View, _, rng| Some(guess(rng.random_range(view.low..=view.high))));
    check_game_with(GuessingGame, Options {}, 3, mind);
}
