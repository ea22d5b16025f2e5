//! The rules of the arena, each in a real room, most of them without walls in the way.

mod whole_games;

use std::time::Duration;

use parlor_core::{Bounded, Command, Game as _, Phase, PlayerId, Refusal, SeatKind};
use parlor_testkit::Playroom;
use serde_json::json;

use super::round::{DASH, DASH_AGAIN, DASH_TENTHS, SAFE, SPEED, SPEED_IT};
use super::{Action, Arena, Axis, Event, HEIGHT, Options, RADIUS, STEPS_PER_SECOND, WIDTH};

/// What a step takes. A little more than the longest of them, which are whole milliseconds.
const STEP: Duration = Duration::from_millis(34);

/// A round of a minute that has just begun: the first of them is it, walls stand at the lower edge, and
/// players far from each other in the upper left, a hundred units from one to the next.
fn round(players: usize) -> (Playroom<Arena>, Vec<PlayerId>) {
    let options = Options { round_seconds: Bounded::new(60).unwrap() };
    let mut room = Playroom::<Arena>::new(options, 1);
    let host = room.join("Ada");
    let mut ids = vec![host];
    for name in ["Bob", "Cyd", "Dee", "Eve"].iter().take(players - 1) {
        ids.push(room.join(name));
    }
    room.command(Command::Start(host)).unwrap();
    let since = room.now();
    room.arrange(|state| {
        state["walls"] =
            json!(vec![json!({"left": 900, "top": 700, "width": 40, "height": 40}); 8]);
        state["it"] = json!([host, since]);
        state["safe_until"] = json!(since);
    });
    for (place, id) in (1..).zip(&ids) {
        put(&mut room, *id, 100 * place, 100);
    }
    room.take_events();
    (room, ids)
}

/// The round of which [`round`] is the beginning, in steps of a second.
const ROUND: Duration = Duration::from_secs(60);

/// Puts a player somewhere.
fn put(room: &mut Playroom<Arena>, player: PlayerId, x: i32, y: i32) {
    room.arrange(|state| {
        for runner in state["runners"].as_array_mut().unwrap() {
            if runner["id"] == json!(player) {
                runner["at"] = json!({"x": x * 1000, "y": y * 1000});
            }
        }
    });
}

/// Where a player is, in thousandths of a unit.
fn place(room: &Playroom<Arena>, player: PlayerId) -> (i32, i32) {
    let state = &room.room().head().state;
    let at = state.runners().find(|runner| runner.id == player).expect("it is in the field").at;
    (at.x, at.y)
}

fn run(dx: i16, dy: i16) -> Action {
    Action { dx: Axis::thousandths(dx), dy: Axis::thousandths(dy), dash: false }
}

fn dash(dx: i16, dy: i16) -> Action {
    Action { dash: true, ..run(dx, dy) }
}

/// What is covered in a step at so many units a second, in thousandths of a unit.
fn per_step(speed: i32) -> i32 {
    speed * 1000 / STEPS_PER_SECOND
}

/// Lets so many steps pass.
fn steps(room: &mut Playroom<Arena>, count: u32) {
    for _ in 0..count {
        let next = room.room().wake_at().expect("the round is on");
        room.wait(next.since(room.now()));
    }
}

#[test]
fn view_before_the_start_is_an_empty_field() {
    let room = Playroom::<Arena>::new(Options::default(), 1);
    let mut view = serde_json::to_value(room.view()).unwrap();
    let walls = view["walls"].take();
    assert_eq!(walls.as_array().unwrap().len(), 8);
    assert!(walls.as_array().unwrap().iter().all(|wall| wall.as_array().unwrap().len() == 4));
    assert_eq!(
        view,
        json!({
            "field": [1200, 800], "radius": 20, "walls": null, "at": {}, "it": null, "since": null,
            "itMs": {}, "safeUntil": 0, "dashAt": {}, "deadline": null, "ranking": [],
        })
    );
}

#[test]
fn view_in_a_round_has_each_player_in_whole_units() {
    let (mut room, ids) = round(2);
    room.act(ids[1], dash(1000, 0)).unwrap();
    steps(&mut room, 1);
    let view = serde_json::to_value(room.view()).unwrap();
    let start = 1_000_000;
    assert_eq!(view["at"], json!({"1": [100, 100], "2": [220, 100]}));
    assert_eq!(view["it"], json!(ids[0]));
    assert_eq!(view["since"], json!(start));
    assert_eq!(view["itMs"], json!({"1": 0, "2": 0}));
    assert_eq!(view["dashAt"], json!({"2": start + 33 + 2500}));
    assert_eq!(view["deadline"], json!(start + 60_000));
}

#[test]
fn everyone_begins_on_a_spot_of_its_own_and_somebody_is_it_by_lot() {
    let firsts: Vec<(PlayerId, [i16; 2])> = (0..30)
        .map(|seed| {
            let mut room = Playroom::<Arena>::new(Options::default(), seed);
            let host = room.join("Ada");
            for _ in 1..16 {
                room.add_bot(host, "chaser");
            }
            room.command(Command::Start(host)).unwrap();
            let view = room.view();
            let mut places: Vec<_> = view.at.values().collect();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), 16);
            let it = view.it.unwrap();
            assert_eq!(room.take_events(), [Event::Chosen { player: it }]);
            (it, view.at[&host])
        })
        .collect();
    assert!(firsts.iter().any(|(it, _)| *it != firsts[0].0), "{firsts:?}");
    assert!(firsts.iter().any(|(_, place)| *place != firsts[0].1), "{firsts:?}");
}

#[test]
fn player_runs_where_it_heads_until_it_heads_elsewhere() {
    let (mut room, ids) = round(2);
    put(&mut room, ids[1], 600, 400);
    let speed = per_step(SPEED);
    room.act(ids[1], run(1000, 0)).unwrap();
    assert_eq!(place(&room, ids[1]), (600_000, 400_000), "not before the next step");
    steps(&mut room, 1);
    assert_eq!(place(&room, ids[1]), (600_000 + speed, 400_000));
    steps(&mut room, 4);
    assert_eq!(place(&room, ids[1]), (600_000 + 5 * speed, 400_000));
    room.act(ids[1], run(0, -500)).unwrap();
    steps(&mut room, 2);
    assert_eq!(place(&room, ids[1]), (600_000 + 5 * speed, 400_000 - speed));
    room.act(ids[1], run(0, 0)).unwrap();
    steps(&mut room, 3);
    assert_eq!(place(&room, ids[1]), (600_000 + 5 * speed, 400_000 - speed));
}

#[test]
fn no_direction_is_faster_than_another() {
    for (dx, dy) in [(1000, 1000), (-1000, 1000), (1000, 1), (800, 600), (999, 300), (-733, -991)] {
        let (mut room, ids) = round(2);
        put(&mut room, ids[1], 600, 400);
        room.act(ids[1], run(dx, dy)).unwrap();
        steps(&mut room, 1);
        let (x, y) = place(&room, ids[1]);
        let covered = f64::from(x - 600_000).hypot(f64::from(y - 400_000));
        let full = f64::from(per_step(SPEED));
        assert!(covered <= full && covered > full * 0.995, "{dx} {dy}: {covered}");
    }
}

#[test]
fn who_is_it_is_a_little_faster() {
    let (mut room, ids) = round(2);
    put(&mut room, ids[1], 600, 400);
    room.act(ids[0], run(0, 1000)).unwrap();
    steps(&mut room, 1);
    assert_eq!(place(&room, ids[0]), (100_000, 100_000 + per_step(SPEED_IT)));
}

#[test]
fn player_slides_along_walls_and_edges() {
    let (mut room, ids) = round(2);
    put(&mut room, ids[1], 880, 710);
    room.act(ids[1], run(1000, -1000)).unwrap();
    steps(&mut room, 3);
    let (x, y) = place(&room, ids[1]);
    assert!(x == 880_000 && y < 710_000, "{x} {y}");

    put(&mut room, ids[1], 600, HEIGHT - RADIUS);
    room.act(ids[1], run(1000, 1000)).unwrap();
    steps(&mut room, 3);
    let (x, y) = place(&room, ids[1]);
    assert!(x > 600_000 && y == (HEIGHT - RADIUS) * 1000, "{x} {y}");
}

#[test]
fn dash_does_not_lead_through_a_wall() {
    for start in 840..=880 {
        let (mut room, ids) = round(2);
        put(&mut room, ids[1], start, 720);
        room.act(ids[1], dash(1000, 0)).unwrap();
        steps(&mut room, 10);
        assert_eq!(place(&room, ids[1]), (880_000, 720_000), "from {start}");
    }
}

#[test]
fn dash_is_a_burst_with_a_pause_after_it() {
    let (mut room, ids) = round(2);
    put(&mut room, ids[1], 300, 400);
    room.act(ids[1], dash(1000, 0)).unwrap();
    let dash_steps = u32::try_from(DASH.as_millis()).unwrap() * 30 / 1000;
    let again_steps = u32::try_from(DASH_AGAIN.as_millis()).unwrap() * 30 / 1000;

    let mut covered = Vec::new();
    for _ in 0..again_steps + 2 {
        let (before, _) = place(&room, ids[1]);
        steps(&mut room, 1);
        covered.push(place(&room, ids[1]).0 - before);
        if covered.len() == dash_steps as usize {
            // To and fro, for the field is not that wide.
            put(&mut room, ids[1], 300, 400);
        }
    }
    let (plain, fast) = (per_step(SPEED), per_step(SPEED) * DASH_TENTHS / 10);
    let (first, rest) = covered.split_at(dash_steps as usize);
    let (middle, last) = rest.split_at((again_steps - dash_steps) as usize);
    assert!(first.iter().all(|way| *way == fast), "{first:?}");
    assert!(middle.iter().all(|way| *way == plain), "{middle:?}");
    // It was never let go of, so that it comes again as soon as it may.
    assert_eq!(last, [fast, fast]);
    assert_eq!(room.take_events(), [Event::Dashed { player: ids[1] }; 2]);
}

#[test]
fn who_stands_still_keeps_its_dash() {
    let (mut room, ids) = round(2);
    put(&mut room, ids[1], 300, 400);
    room.act(ids[1], dash(0, 0)).unwrap();
    steps(&mut room, 3);
    assert_eq!((room.take_events(), room.view().dash_at.len()), (vec![], 0));
    room.act(ids[1], dash(0, 1000)).unwrap();
    steps(&mut room, 1);
    assert_eq!(room.take_events(), [Event::Dashed { player: ids[1] }]);
}

#[test]
fn who_is_touched_is_it_and_gives_nothing_back_for_a_while() {
    let (mut room, ids) = round(2);
    put(&mut room, ids[1], 100 + 2 * RADIUS, 100);
    steps(&mut room, 1);
    assert_eq!(room.take_events(), [Event::Tagged { by: ids[0], player: ids[1] }]);
    let view = room.view();
    assert_eq!((view.it, view.since), (Some(ids[1]), Some(room.now())));
    assert_eq!(view.safe_until, room.now() + SAFE);

    room.wait(SAFE - STEP);
    assert_eq!((room.take_events(), room.view().it), (vec![], Some(ids[1])));
    room.wait(2 * STEP);
    assert_eq!(room.take_events(), [Event::Tagged { by: ids[1], player: ids[0] }]);
}

#[test]
fn one_unit_apart_is_not_touching() {
    let (mut room, ids) = round(2);
    put(&mut room, ids[1], 101 + 2 * RADIUS, 100);
    steps(&mut room, 5);
    assert_eq!(room.view().it, Some(ids[0]));
    // Corner to corner the squares around them would touch.
    put(&mut room, ids[1], 100 + 2 * RADIUS, 100 + 2 * RADIUS);
    steps(&mut room, 5);
    assert_eq!(room.view().it, Some(ids[0]));
}

#[test]
fn of_several_who_are_touched_the_nearest_is_it() {
    let (mut room, ids) = round(4);
    put(&mut room, ids[1], 100 + 2 * RADIUS, 100);
    put(&mut room, ids[2], 100, 100 + RADIUS);
    put(&mut room, ids[3], 100 - RADIUS, 100);
    steps(&mut room, 1);
    // The last two are equally near: the lower number.
    assert_eq!(room.take_events(), [Event::Tagged { by: ids[0], player: ids[2] }]);
}

#[test]
fn nobody_is_tagged_right_after_the_start() {
    let mut room = Playroom::<Arena>::new(Options::default(), 1);
    let host = room.join("Ada");
    let bob = room.join("Bob");
    room.command(Command::Start(host)).unwrap();
    assert_eq!(room.view().safe_until, room.now() + SAFE);
    put(&mut room, host, 600, 400);
    put(&mut room, bob, 600, 400);
    let it = room.view().it;
    room.wait(SAFE - STEP);
    assert_eq!(room.view().it, it);
    room.wait(2 * STEP);
    assert_ne!(room.view().it, it);
}

#[test]
fn time_as_it_is_counted_to_the_tag_and_decides_the_round() {
    let (mut room, ids) = round(3);
    room.wait(Duration::from_secs(20));
    put(&mut room, ids[1], 100, 100);
    steps(&mut room, 1);
    put(&mut room, ids[1], 600, 400);
    let first_ms =
        u64::try_from(room.now().since(parlor_core::Time::from_millis(1_000_000)).as_millis());
    let first_ms = first_ms.unwrap();
    assert_eq!(room.view().it_ms.get(&ids[0]), Some(&first_ms));

    room.wait(ROUND);
    let ranking: Vec<(PlayerId, u64)> =
        room.outcome().unwrap().ranking.iter().map(|rank| (rank.player_id, rank.it_ms)).collect();
    assert_eq!(ranking, [(ids[2], 0), (ids[0], first_ms), (ids[1], 60_000 - first_ms)]);
    let view = room.view();
    assert_eq!(view.ranking, [ids[2], ids[0], ids[1]]);
    assert_eq!((view.it, view.since, view.deadline), (None, None, None));
    assert_eq!(view.it_ms.values().sum::<u64>(), 60_000);
}

#[test]
fn round_ends_when_its_time_is_up_and_not_before() {
    let (mut room, ids) = round(2);
    assert_eq!(room.view().deadline, Some(room.now() + ROUND));
    room.wait(ROUND - Duration::from_millis(1));
    assert_eq!(room.room().head().phase, Phase::Playing);
    room.wait(Duration::from_millis(1));
    assert_eq!(room.room().head().phase, Phase::Finished);
    assert_eq!(room.room().wake_at().map(|at| at > room.now()), Some(true));

    room.command(Command::Rematch(ids[0])).unwrap();
    assert_eq!((room.view().at.len(), room.view().ranking.len()), (0, 0));
    room.command(Command::Start(ids[0])).unwrap();
    assert_eq!((room.view().at.len(), room.view().it_ms.values().sum::<u64>()), (2, 0));
}

#[test]
fn late_comer_begins_far_from_everyone_with_the_average_of_their_times() {
    let (mut room, ids) = round(2);
    room.wait(Duration::from_secs(10));
    let eve = room.join("Eve");
    let view = room.view();
    assert_eq!(view.at[&eve], [(WIDTH - 2 * RADIUS) as i16, (HEIGHT - 2 * RADIUS) as i16]);
    assert_eq!((view.it, view.it_ms[&eve]), (Some(ids[0]), 5_000));

    room.act(eve, run(-1000, 0)).unwrap();
    steps(&mut room, 1);
    assert_eq!(room.view().at[&eve][0], (WIDTH - 2 * RADIUS) as i16 - 8);
}

#[test]
fn who_only_watched_may_come_in_and_who_plays_may_stop() {
    let (mut room, ids) = round(3);
    room.command(Command::SetSpectator(ids[2], true)).unwrap();
    assert!(!room.view().at.contains_key(&ids[2]));
    room.command(Command::SetSpectator(ids[2], false)).unwrap();
    assert!(room.view().at.contains_key(&ids[2]));
    room.act(ids[2], run(0, 1000)).unwrap();
}

#[test]
fn seventeenth_player_finds_no_place_until_one_leaves() {
    let mut room = Playroom::<Arena>::new(Options::default(), 1);
    let host = room.join("Ada");
    for _ in 1..15 {
        room.add_bot(host, "chaser");
    }
    room.command(Command::Start(host)).unwrap();
    let bob = room.join("Bob");
    assert_eq!(room.view().at.len(), 16);
    let add = Command::AddBot { by: host, name: None, level: None };
    assert!(matches!(room.command(add.clone()), Err(Refusal::Full)));
    room.command(Command::Leave(bob)).unwrap();
    room.join("Cyd");
    assert_eq!(room.view().at.len(), 16);
}

#[test]
fn when_the_one_who_is_it_leaves_another_is_it() {
    let (mut room, ids) = round(3);
    room.wait(Duration::from_secs(1));
    room.command(Command::Leave(ids[0])).unwrap();
    let view = room.view();
    let it = view.it.unwrap();
    assert!(ids[1..].contains(&it));
    assert_eq!(room.take_events(), [Event::Chosen { player: it }]);
    assert_eq!((view.since, view.safe_until), (Some(room.now()), room.now() + SAFE));
    assert_eq!(view.it_ms.values().sum::<u64>(), 0);
    assert!(!view.at.contains_key(&ids[0]) && !view.it_ms.contains_key(&ids[0]));
}

#[test]
fn one_who_is_not_it_leaves_without_a_change_for_the_others() {
    let (mut room, ids) = round(3);
    room.wait(Duration::from_secs(1));
    let before = room.view();
    room.command(Command::Leave(ids[1])).unwrap();
    let mut expect = before;
    expect.at.remove(&ids[1]);
    expect.it_ms.remove(&ids[1]);
    assert_eq!((room.view(), room.take_events()), (expect, vec![]));
}

#[test]
fn who_is_left_alone_has_come_in_first() {
    for leaves in 0..2 {
        let (mut room, ids) = round(2);
        room.wait(Duration::from_secs(1));
        room.command(Command::Leave(ids[leaves])).unwrap();
        let ranking = &room.outcome().unwrap().ranking;
        assert_eq!((ranking.len(), ranking[0].player_id), (1, ids[1 - leaves]));
    }
}

#[test]
fn who_leaves_the_lobby_is_not_missed_at_the_start() {
    let mut room = Playroom::<Arena>::new(Options::default(), 1);
    let host = room.join("Ada");
    let bob = room.join("Bob");
    let cyd = room.join("Cyd");
    room.command(Command::Leave(bob)).unwrap();
    room.command(Command::Start(host)).unwrap();
    assert_eq!(room.view().at.keys().copied().collect::<Vec<_>>(), [host, cyd]);
}

#[test]
fn who_loses_the_connection_stops_and_after_a_while_a_bot_runs_in_its_place() {
    let (mut room, ids) = round(2);
    put(&mut room, ids[1], 600, 400);
    room.act(ids[1], dash(1000, 0)).unwrap();
    room.command(Command::Disconnect(ids[1])).unwrap();
    steps(&mut room, 30);
    assert_eq!(place(&room, ids[1]), (600_000, 400_000));

    let grace = Arena.rules(&Options::default()).grace_in_play;
    room.wait(grace);
    assert!(
        room.room().head().roster.seat(ids[1]).is_some_and(|seat| seat.kind() == SeatKind::Bot)
    );
    room.act(ids[0], run(1000, 1000)).unwrap();
    for _ in 0..60 {
        room.step();
    }
    assert_ne!(place(&room, ids[1]), (600_000, 400_000), "the stand-in flees");

    room.command(Command::Reconnect(ids[1])).unwrap();
    let back = place(&room, ids[1]);
    steps(&mut room, 3);
    assert_eq!(place(&room, ids[1]), back, "where the stand-in was running is forgotten");
    room.act(ids[1], run(-1000, 0)).unwrap();
    steps(&mut room, 1);
    assert_ne!(place(&room, ids[1]), back);
}

#[test]
fn only_the_host_starts_and_not_alone() {
    let mut room = Playroom::<Arena>::new(Options::default(), 1);
    let ada = room.join("Ada");
    assert!(matches!(room.command(Command::Start(ada)), Err(Refusal::NotReady(_))));
    let bob = room.join("Bob");
    assert_eq!(room.command(Command::Start(bob)), Err(Refusal::NotHost));
    room.command(Command::Start(ada)).unwrap();
    assert_eq!(room.room().head().phase, Phase::Playing);
}

#[test]
fn every_level_that_is_offered_has_a_bot_and_no_other() {
    for level in Arena.about().bot_levels {
        assert!(Arena.bot(level).is_some(), "{level}");
    }
    assert!(Arena.bot("walker").is_none());
}

/// Every step begins with a copy of it.
#[test]
fn state_is_small_and_flat() {
    fn is_copy<T: Copy>() {}
    is_copy::<super::State>();
    assert!(size_of::<super::State>() <= 1500, "{}", size_of::<super::State>());
}
