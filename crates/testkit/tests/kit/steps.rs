//! Games that step.

use std::time::Duration;

use parlor_core::{Game as _, PlayerId, Refusal};
use parlor_testkit::{BotGames, EVENTS_KEPT_MAX, Playroom, check_game};

use crate::faults::check_fails;
use crate::race::{Event, Options, Push, Race};

fn race(gathers: bool) -> (Playroom<Race>, PlayerId, PlayerId) {
    let mut room = Playroom::of(Race { gathers, ..Race::default() }, Options {}, 1);
    let (ada, bob) = (room.join("Ada"), room.join("Bob"));
    room.add_bot(ada, "steady");
    room.add_bot(ada, "steady");
    (room, ada, bob)
}

#[test]
fn every_step_comes_at_its_time_however_long_the_wait() {
    let (mut room, ada, _) = race(false);
    room.act(ada, Push { by: 2 }).unwrap();
    room.step();
    assert_eq!((room.state().steps, room.state().at[&ada]), (1, f64::from(0.2_f32)));
    room.wait(Duration::from_secs(4));
    assert_eq!(room.state().steps, 41);
    room.check_replays();
}

#[test]
fn late_room_lets_steps_go() {
    let (mut room, ..) = race(false);
    room.stall(Duration::from_secs(4));
    assert!((5..=6).contains(&room.state().steps), "{}", room.state().steps);
    room.check_replays();
}

#[test]
fn gathered_action_waits_for_its_step_and_may_be_refused_then() {
    let (mut room, ada, bob) = race(true);
    room.act(ada, Push { by: 1 }).unwrap();
    room.act(bob, Push { by: -1 }).unwrap();
    assert_eq!(room.state().speed[&ada], 0);
    assert!(room.take_events().is_empty());
    room.step();
    assert_eq!(room.state().speed[&ada], 1);
    assert_eq!(room.events_of(bob)[0], &Event::Pushed { by: ada });
    let refused = room.take_refused();
    let [(player, Refusal::Game(error))] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!((*player, error.code()), (bob, "INVALID_MOVE"));
    assert!(room.sent_to(bob).iter().any(|sent| sent.json().contains("only forward")));
    room.check_replays();
}

#[test]
fn one_event_more_than_is_kept_is_not_forgotten_in_silence() {
    let (mut room, ada, _) = race(false);
    let kept = i64::try_from(EVENTS_KEPT_MAX).unwrap();
    for _ in 0..kept / 1024 {
        room.act(ada, Push { by: 1024 }).unwrap();
    }
    assert_eq!(room.events_of(ada).len(), EVENTS_KEPT_MAX);
    room.act(ada, Push { by: 1 }).unwrap();
    check_fails("more events were told than are kept", || drop(room.take_events()));
}

#[test]
fn action_that_comes_at_once_is_refused_at_once() {
    let (mut room, ada, _) = race(false);
    assert_eq!(room.act(ada, Push { by: -1 }).unwrap_err().code(), "INVALID_MOVE");
}

/// Both bots are asked a quarter of a second after the start, at the next step.
#[test]
fn bots_are_asked_at_steps_and_people_who_play_themselves_when_they_have_thought() {
    for gathers in [false, true] {
        let (mut room, ada, _) = race(gathers);
        room.autoplay(ada, room.room().game().bot("steady").unwrap());
        room.wait(Duration::from_millis(290));
        let bots = [3, 4].map(PlayerId);
        assert_eq!(bots.map(|bot| room.state().speed[&bot]), [0, 0]);
        assert_eq!(room.state().speed[&ada], if gathers { 0 } else { 3 });
        room.wait(Duration::from_millis(110));
        assert_eq!(bots.map(|bot| room.state().speed[&bot]), [3, 3]);
        assert_eq!(room.state().speed[&ada], 3);
        room.wait(Duration::from_secs(10));
        assert!(room.outcome().is_some());
        room.check_replays();
    }
}

#[test]
fn game_that_steps_passes_every_check_in_both_ways_to_take_actions() {
    for gathers in [false, true] {
        check_game(Race { gathers, ..Race::default() }, Options {});
    }
}

#[test]
fn bot_that_breaks_the_rules_is_found_in_both_ways_to_take_actions() {
    for gathers in [false, true] {
        check_fails("broke the rules: only forward", || {
            BotGames::of(Race { gathers, bots_cheat: true }, Options {}).games(1).run(|_| {});
        });
    }
}
