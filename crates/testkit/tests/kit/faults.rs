//! That a test fails, with which words, and that it points at its own line.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use parlor_core::{Fault as Broken, GameError};
use parlor_testkit::{BotGames, Mishap, Playroom, check_game, check_game_with, moves};

use crate::cards::{Cards, Fault, Options, Play, TURN};

thread_local! {
    /// Where the last panic of this thread was, while one is expected.
    static EXPECTED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs what is to fail: with these words, pointing at a line of these tests.
#[track_caller]
pub(crate) fn check_fails(words: &str, run: impl FnOnce()) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let other = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let is_expected = EXPECTED.with_borrow_mut(|place| match place {
                Some(place) => {
                    *place = info.location().map(ToString::to_string).unwrap_or_default();
                    true
                }
                None => false,
            });
            if !is_expected {
                other(info);
            }
        }));
    });

    EXPECTED.set(Some(String::new()));
    let outcome = catch_unwind(AssertUnwindSafe(run));
    let place = EXPECTED.take().unwrap_or_default();
    let panic = outcome.expect_err("it fails");
    let message = panic.downcast_ref::<String>().cloned();
    let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let message = message.expect("a failure has words");
    assert!(message.contains(words), "{message}");
    assert!(place.contains("tests/kit/"), "it points elsewhere: {place}");
}

pub(crate) fn room(fault: Fault) -> Playroom<Cards> {
    Playroom::of(Cards { fault }, Options {}, 1)
}

/// What `check_game` says of a game with this fault.
#[track_caller]
fn check_found(fault: Fault, words: &str) {
    check_fails(words, || check_game(Cards { fault }, Options {}));
}

#[test]
fn sound_game_passes_every_check() {
    check_game(Cards::default(), Options {});
    let mind = moves(|view: &crate::cards::View, me, _| {
        (view.turn == Some(me)).then_some(Play { place: 0 })
    });
    check_game_with(Cards::default(), Options {}, 3, mind);
}

#[test]
fn game_that_goes_by_anything_but_its_room_is_found() {
    let words = "done again, it goes another way: at change";
    check_found(Fault::ClockDecides, words);
    check_found(Fault::ForeignChance, words);
    check_found(Fault::HashMapDecides, words);
    check_fails(
        "done again, it goes another way: at the end, at /head/snapshot/state/turn",
        || {
            let mut room = room(Fault::FirstTimeDecides);
            room.join("Ada");
            room.join("Bob");
            room.start();
            room.check_replays();
        },
    );
}

#[test]
fn state_that_bytes_do_not_hold_is_found() {
    let words = "bytes do not hold the whole state: after going through them, at change";
    check_found(Fault::ForgetsField, words);
    check_found(Fault::KeysAreNoText, "the room cannot be written as JSON: key must be a string");
}

#[test]
fn game_that_never_ends_is_found() {
    check_fails("the game does not end within 200 steps", || {
        BotGames::of(Cards { fault: Fault::NeverEnds }, Options {}).steps_max(200).run(|_| {});
    });
    check_found(Fault::Stalls, "the game does not end: nobody moves, and nothing is due");
    check_found(Fault::Hurries, "time stands still");
}

#[test]
fn bot_that_breaks_the_rules_is_found() {
    check_found(Fault::BotCheats, "broke the rules: you have no such card");
    check_found(Fault::BotPanics, "broke down: decide: panicked: a bot at its wit's end");
}

#[test]
fn bot_that_does_not_go_by_its_own_numbers_is_found() {
    check_found(Fault::BotGuesses, "played again from its seed, it goes another way");
}

#[test]
fn callback_that_fails_when_people_come_and_go_is_found() {
    check_found(Fault::LeavePanics, "a callback failed: on_leave: panicked: nobody leaves");
}

#[test]
fn what_cannot_be_sent_is_found() {
    check_found(Fault::NotFinite, "a number that is not finite");
    check_found(Fault::EventHasNoName, "an event is to be {\"name\": …, \"data\": …}");
    check_found(
        Fault::OneWayOutcome,
        "an outcome is another once it is read from JSON: at /how_many",
    );
}

#[test]
fn views_that_differ_though_their_key_is_the_same_are_found() {
    check_found(Fault::OneKeyForAll, "viewers with the same key must see the same");
    // Also in a test that is about something else.
    check_fails("viewers with the same key must see the same", || {
        let mut room = room(Fault::OneKeyForAll);
        let ada = room.join("Ada");
        let bob = room.join("Bob");
        room.start();
        for player in [ada, bob, ada, bob] {
            room.act(player, Play { place: 0 }).unwrap();
        }
    });
}

/// Each of these is one line of an author's that goes wrong.
#[test]
fn mistake_in_a_test_fails_at_its_line() {
    let lobby = || room(Fault::Nothing);
    check_fails("nobody is host", || lobby().start());
    check_fails("the room refused to start: at least 2 players", || {
        let mut room = lobby();
        room.join("Ada");
        room.start();
    });
    check_fails("the room refused player 1 to act: the game has not started", || {
        let mut room = lobby();
        let ada = room.join("Ada");
        let _refused = room.act(ada, Play { place: 0 });
    });
    check_fails("nothing is due", || {
        let mut room = lobby();
        room.join("Ada");
        room.step();
    });
    check_fails("player 9 is not in the room", || {
        lobby().view_of(parlor_core::PlayerId(9));
    });
    check_fails("what was arranged is no state: missing field `turn`", || {
        lobby().arrange(|state| {
            state.as_object_mut().expect("a map").remove("turn");
        });
    });
}

#[test]
fn callback_that_fails_fails_the_test_and_says_where_in_which_game() {
    check_fails(
        "cards, seed 1, at change 4, 10s after the beginning: a callback failed: on_timer: refused",
        || {
            let mut room = room(Fault::TimerFails);
            room.join("Ada");
            room.join("Bob");
            room.start();
            room.wait(TURN);
        },
    );
}

#[test]
fn tolerant_room_goes_on_and_keeps_what_went_wrong() {
    let mut room = room(Fault::TimerFails).tolerant();
    let ada = room.join("Ada");
    room.join("Bob");
    room.start();
    room.wait(TURN);
    let mishaps = room.take_mishaps();
    let [Mishap::Callback(failure)] = &mishaps[..] else { panic!("{mishaps:?}") };
    let error = GameError::new("BROKEN", "the clock is broken");
    assert_eq!((failure.callback, &failure.fault), ("on_timer", &Broken::Refused(error)));
    assert_eq!(room.take_mishaps(), []);
    assert_eq!(room.view().turn, Some(ada), "nobody passed");
    room.check_replays();

    for (fault, cheats) in [(Fault::BotCheats, true), (Fault::BotPanics, false)] {
        let mut room = self::room(fault).tolerant();
        let ada = room.join("Ada");
        let bot = room.add_bot(ada, "first");
        room.start();
        room.act(ada, Play { place: 0 }).unwrap();
        room.wait(TURN / 2);
        let mishaps = room.take_mishaps();
        match &mishaps[..] {
            [Mishap::BotRefused(player, _)] => assert!(cheats && *player == bot),
            [Mishap::BotBrokeDown(player, _)] => assert!(!cheats && *player == bot),
            _ => panic!("{mishaps:?}"),
        }
    }
}

#[test]
fn game_without_bots_must_say_how_it_is_played() {
    check_fails("no bot of level reckless", || {
        BotGames::<Cards>::new(Options {}).games(1).bots(["reckless", "first"]).run(|_| {});
    });
    check_fails("no room for 9 players", || {
        BotGames::<Cards>::new(Options {}).games(1).bots(["first"; 9]).run(|_| {});
    });
}
