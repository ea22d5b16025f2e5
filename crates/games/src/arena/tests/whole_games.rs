//! Rounds from the start to the end, played by bots, and what holds after every step of them.

use std::time::Duration;

use parlor_core::rand::SeedableRng as _;
use parlor_core::{Bounded, Command, Game as _, GameRng, Phase, PlayerId};
use parlor_testkit::Playroom;
use proptest::prelude::*;

use super::super::field::Point;
use super::super::{Action, Arena, Axis, Event, Options, View};

/// What is true of every state of a round that is on.
#[track_caller]
fn check_invariants(room: &Playroom<Arena>, before: &View) {
    let state = &room.room().head().state;
    for runner in state.runners() {
        assert!(state.walls.leave_free(runner.at), "{runner:?}");
    }
    let view = room.view();
    let ids: Vec<&PlayerId> = view.at.keys().collect();
    let seated: Vec<PlayerId> =
        room.room().head().roster.players().map(parlor_core::Seat::id).collect();
    assert!(ids.iter().copied().eq(&seated), "everyone at the table is in the field");
    assert!(ids.iter().copied().eq(view.it_ms.keys()));
    assert!(view.dash_at.keys().all(|id| view.at.contains_key(id)));
    assert_eq!((view.field, &view.walls), (before.field, &before.walls));

    if room.outcome().is_some() {
        assert_eq!((view.it, view.deadline), (None, None));
        assert_eq!(view.ranking.len(), ids.len());
        assert!(view.ranking.is_sorted_by_key(|id| view.it_ms[id]));
        return;
    }
    assert!(view.it.is_some_and(|it| view.at.contains_key(&it)), "one is it");
    assert!(view.since.is_some_and(|since| since <= room.now()));
    assert!(view.deadline.is_some_and(|deadline| deadline > room.now()));
    assert!(view.ranking.is_empty());
    for (id, at) in &view.at {
        // The fastest there is, for as long as a step takes, and what rounding adds.
        let Some(was) = before.at.get(id) else { continue };
        let [from, to] = [was, at].map(|[x, y]| Point::units((*x).into(), (*y).into()));
        assert!(from.is_near(to, 2 * (22 + 2)), "{id} jumps from {was:?} to {at:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The host runs about by a bot's decisions too. Others come and go.
    #[test]
    fn bots_play_every_round_to_its_end_and_it_can_be_played_again(
        seed: u64,
        sprints in prop::collection::vec(any::<bool>(), 1..=7),
        round_seconds in 5..=15_i64,
        comes_at in 0_u32..300,
        stays in 1_u32..400,
        goes_away: bool,
    ) {
        let options = Options { round_seconds: Bounded::new(round_seconds).unwrap() };
        let mut room = Playroom::<Arena>::new(options, seed);
        let host = room.join("Ada");
        for sprints in &sprints {
            room.add_bot(host, if *sprints { "sprinter" } else { "chaser" });
        }
        room.command(Command::Start(host)).unwrap();
        let start = room.now();
        let mind = Arena.bot("sprinter").unwrap();
        let mut rng = GameRng::seed_from_u64(seed);
        let mut guest = None;

        let mut tags = 0;
        for step in 0..STEPS_MAX {
            if room.outcome().is_some() {
                break;
            }
            let before = room.view();
            room.step();
            check_invariants(&room, &before);
            if room.room().head().phase != Phase::Playing {
                continue;
            }
            if step % 3 == 0 && let Some(action) = mind.decide(&room.view(), host, &mut rng) {
                room.act(host, action).unwrap();
            }
            if step == comes_at {
                guest = Some(room.join("Guest"));
            }
            if let Some(guest) = guest && step == comes_at + stays {
                let deed = if goes_away { Command::Disconnect(guest) } else { Command::Leave(guest) };
                room.command(deed).unwrap();
            }
            check_invariants(&room, &room.view());
            tags += room.take_events().iter().filter(|event| matches!(event, Event::Tagged { .. })).count();
        }
        let outcome = room.outcome().expect("a round ends within so many steps");
        let ranked: Vec<PlayerId> = outcome.ranking.iter().map(|rank| rank.player_id).collect();
        prop_assert_eq!(&ranked, &room.view().ranking);
        prop_assert_eq!(room.now().since(start), Duration::from_secs(round_seconds.unsigned_abs()));
        if guest.is_none() {
            let whole: u64 = outcome.ranking.iter().map(|rank| rank.it_ms).sum();
            prop_assert_eq!(whole, round_seconds.unsigned_abs() * 1000, "one was it at any time");
        }
        // Once in a second and a half at most.
        prop_assert!(tags <= usize::try_from(round_seconds).unwrap(), "{} tags", tags);
        room.check_replays();
    }

    /// Whatever clients send, as often as they like.
    #[test]
    fn no_actions_lead_out_of_the_field_or_into_a_wall(
        seed: u64,
        actions in prop::collection::vec((0_usize..3, -1000..=1000_i16, -1000..=1000_i16, any::<bool>()), 0..200),
    ) {
        let options = Options { round_seconds: Bounded::new(60).unwrap() };
        let mut room = Playroom::<Arena>::new(options, seed);
        let host = room.join("Ada");
        let players = [host, room.join("Bob"), room.join("Cyd")];
        room.command(Command::Start(host)).unwrap();
        for (who, dx, dy, dash) in actions {
            let [dx, dy] = [dx, dy].map(Axis::thousandths);
            room.act(players[who], Action { dx, dy, dash }).unwrap();
            let before = room.view();
            room.step();
            check_invariants(&room, &before);
        }
        room.check_replays();
    }
}

/// Bots that are worth playing with catch somebody now and then, and somebody else each time.
#[test]
fn chase_ends_in_a_tag() {
    for (level, tags_min) in [("chaser", 3), ("sprinter", 3)] {
        let mut tags = 0;
        for seed in 0..4 {
            let options = Options { round_seconds: Bounded::new(60).unwrap() };
            let mut room = Playroom::<Arena>::new(options, seed);
            let host = room.join("Ada");
            for _ in 0..4 {
                room.add_bot(host, level);
            }
            room.command(Command::Start(host)).unwrap();
            // A host that does nothing is caught once, and then all stand around it.
            room.command(Command::Disconnect(host)).unwrap();
            room.join("Eve");
            room.wait(Duration::from_secs(9));
            while room.outcome().is_none() {
                room.step();
            }
            let tagged = room.take_events();
            tags += tagged.iter().filter(|event| matches!(event, Event::Tagged { .. })).count();
        }
        assert!(tags >= 4 * tags_min, "{level}: {tags} tags in four minutes");
    }
}

/// The longest round of these tests, in steps of the room: its ticks, and other deadlines of its.
const STEPS_MAX: u32 = 15 * 30 + 50;
