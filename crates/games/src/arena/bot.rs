//! Bots for the arena: they chase the nearest when they are it, and run from who is it when not.
//!
//! A chase goes the shortest way around the walls, from corner to corner. A flight looks where each of
//! sixteen directions leads to, and takes the one that ends best. All sums are of integers, so that a
//! bot decides the same on every machine.

use std::time::Duration;

use parlor_core::{Bot, GameRng, PlayerId};

use super::field::{HEIGHT, Point, RADIUS, UNIT, WALLS, WIDTH, Wall, Walls};
use super::{Action, Arena, Axis, View};

/// What a bot can do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Legs {
    /// Whether it dashes where that gains something.
    dashes: bool,
    /// Whether it sees that a way leads into a corner.
    looks_ahead: bool,
    /// From how far on it lets who is it come near, in units.
    fears_within: i32,
}

impl Legs {
    pub(super) const CHASER: Self = Self { dashes: false, looks_ahead: false, fears_within: 360 };

    pub(super) const SPRINTER: Self = Self { dashes: true, looks_ahead: true, fears_within: 480 };

    fn chase(self, here: Point, others: impl Iterator<Item = Point>, walls: &Walls) -> Action {
        let hidden = |other: &Point| i64::from(!is_clear(here, *other, walls)) * DETOUR;
        let Some(prey) = others.min_by_key(|other| here.distance(*other) + hidden(other)) else {
            return Action::default();
        };
        let stop = next_stop(here, prey, walls);
        let dash = self.dashes && stop == prey && here.is_near(prey, DASH_AFTER);
        towards(here, stop, dash)
    }

    fn flee(self, here: Point, it: Point, walls: &Walls) -> Action {
        if !here.is_near(it, self.fears_within) {
            return Action::default();
        }
        let worth = |(x, y): (i32, i32)| {
            let there = walls.slide(here, Point { x: x * LEG, y: y * LEG });
            let behind_a_wall = i64::from(!is_clear(it, there, walls)) * DETOUR;
            let mut worth = it.distance(there) + room_around(there) / 2 + behind_a_wall;
            if self.looks_ahead {
                let onward = |(x, y): &(i32, i32)| {
                    it.distance(walls.slide(there, Point { x: x * 2 * LEG, y: y * 2 * LEG }))
                };
                worth += COMPASS.iter().step_by(4).map(onward).max().unwrap_or(0);
            }
            worth
        };
        let (x, y) = COMPASS.into_iter().max_by_key(|way| worth(*way)).expect("it has ways");
        let dash = self.dashes && here.is_near(it, DASH_FROM);
        Action { dx: axis(x), dy: axis(y), dash }
    }
}

impl Bot<Arena> for Legs {
    fn decide(&self, view: &View, me: PlayerId, _rng: &mut GameRng) -> Option<Action> {
        let place = |[x, y]: [i16; 2]| Point::units(x.into(), y.into());
        let here = place(*view.at.get(&me)?);
        let it = view.it?;
        let walls = Walls(view.walls.map(Wall::from_corner_and_size));
        Some(if it == me {
            let others = view.at.iter().filter(|(player, _)| **player != me);
            self.chase(here, others.map(|(_, at)| place(*at)), &walls)
        } else {
            self.flee(here, place(*view.at.get(&it)?), &walls)
        })
    }

    fn thinking_time(&self) -> Duration {
        Duration::from_millis(100)
    }
}

/// Whether a player can run straight from one place to another. What one sees is rounded, so that one
/// who stands at a wall may seem to be a little way in it.
fn is_clear(from: Point, to: Point, walls: &Walls) -> bool {
    !walls.iter().any(|wall| wall.shadow(RADIUS - 1).is_between(from, to))
}

/// Where to turn first on the shortest way around the walls: at the end of it, or at a corner.
fn next_stop(from: Point, to: Point, walls: &Walls) -> Point {
    if is_clear(from, to, walls) {
        return to;
    }
    let mut corners = [Point::default(); CORNERS];
    for (four, wall) in corners.chunks_exact_mut(4).zip(walls.iter()) {
        four.copy_from_slice(&wall.shadow(RADIUS + 2).corners());
    }
    // Dijkstra's way, with the straight distance that is left as A* has it: by corner, how long the
    // shortest known way there is, and at which corner that turns first.
    let mut ways: [Option<(i64, usize)>; CORNERS] = [None; CORNERS];
    let mut is_done = [false; CORNERS];
    for (corner, way) in ways.iter_mut().enumerate() {
        let at = corners[corner];
        if !from.is_near(at, AT_CORNER) && is_clear(from, at, walls) {
            *way = Some((from.distance(at), corner));
        }
    }
    loop {
        let open = (0..CORNERS).filter(|corner| !is_done[*corner]);
        let whole = |corner: usize| Some((ways[corner]?.0 + corners[corner].distance(to), corner));
        let Some((_, corner)) = open.filter_map(whole).min() else { return to };
        let Some((length, first)) = ways[corner] else { return to };
        if is_clear(corners[corner], to, walls) {
            return corners[first];
        }
        is_done[corner] = true;
        for next in 0..CORNERS {
            let length = length + corners[corner].distance(corners[next]);
            let is_shorter = ways[next].is_none_or(|(known, _)| length < known);
            if is_shorter && !is_done[next] && is_clear(corners[corner], corners[next], walls) {
                ways[next] = Some((length, first));
            }
        }
    }
}

/// Full speed, and less at the end, so as not to run past it until the next decision.
fn towards(from: Point, to: Point, dash: bool) -> Action {
    let distance = from.distance(to);
    let part = |value: i32| {
        let scaled = i64::from(value) * i64::from(UNIT) / distance.max(BRAKE);
        axis(i32::try_from(scaled).unwrap_or(0))
    };
    Action { dx: part(to.x - from.x), dy: part(to.y - from.y), dash }
}

fn axis(thousandths: i32) -> Axis {
    Axis::thousandths(i16::try_from(thousandths.clamp(-1000, 1000)).unwrap_or(0))
}

/// How far the nearest edge of the field is, as far as that matters.
fn room_around(at: Point) -> i64 {
    let nearest = at.x.min(at.y).min(WIDTH * UNIT - at.x).min(HEIGHT * UNIT - at.y);
    i64::from(nearest.min(200 * UNIT))
}

/// Sixteen directions, in thousandths.
const COMPASS: [(i32, i32); 16] = [
    (1000, 0),
    (924, 383),
    (707, 707),
    (383, 924),
    (0, 1000),
    (-383, 924),
    (-707, 707),
    (-924, 383),
    (-1000, 0),
    (-924, -383),
    (-707, -707),
    (-383, -924),
    (0, -1000),
    (383, -924),
    (707, -707),
    (924, -383),
];

/// How many corners walls have.
const CORNERS: usize = 4 * WALLS;

/// How far a flight looks along each direction, in units.
const LEG: i32 = 100;

/// How near a corner one is at it, in units.
const AT_CORNER: i32 = 3;

/// What a wall in between is worth, in thousandths of a unit.
const DETOUR: i64 = 120_000;

/// What is covered between two decisions, in thousandths of a unit.
const BRAKE: i64 = 27_000;

/// From how near on a dash may reach who runs away, and save from who chases, in units.
const DASH_AFTER: i32 = 190;
const DASH_FROM: i32 = 130;

#[cfg(test)]
mod tests {
    use parlor_core::rand::SeedableRng as _;
    use proptest::prelude::*;

    use super::super::field::tests::{free_place, layout};
    use super::*;

    /// How long the way is that leads from one place to another, each part of it in a straight line.
    #[track_caller]
    fn length(from: Point, to: Point, walls: &Walls) -> i64 {
        let (mut at, mut length) = (from, 0);
        for _ in 0..CORNERS {
            let stop = next_stop(at, to, walls);
            assert!(is_clear(at, stop, walls), "{at:?} to {stop:?}");
            length += at.distance(stop);
            at = stop;
            if at == to {
                return length;
            }
        }
        panic!("still at {at:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// By the corners alone, each in a straight line: no way leads in circles, and none is longer than
        /// the way back.
        #[test]
        fn chase_finds_its_way_from_everywhere_to_everywhere(
            walls in layout(),
            from in free_place(),
            to in free_place(),
        ) {
            prop_assume!(walls.leave_free(from) && walls.leave_free(to));
            let [there, back] = [length(from, to, &walls), length(to, from, &walls)];
            // Corners are left a little before they are reached.
            prop_assert!(there.abs_diff(back) <= 4_000, "{there} there, {back} back");
        }

        #[test]
        fn flight_leads_away_in_the_open(angle in 0_usize..16) {
            let walls = Walls::draw(&mut GameRng::seed_from_u64(1));
            let here = Point::units(WIDTH / 2, HEIGHT / 2);
            let (x, y) = COMPASS[angle];
            let it = Point { x: here.x + x * 80, y: here.y + y * 80 };
            for legs in [Legs::CHASER, Legs::SPRINTER] {
                let Action { dx, dy, dash } = legs.flee(here, it, &walls);
                let towards_it = i32::from(dx.get()) * x + i32::from(dy.get()) * y;
                prop_assert!(towards_it < 0, "{dx:?} {dy:?}");
                prop_assert_eq!(dash, legs.dashes);
            }
        }
    }

    #[test]
    fn bot_stands_still_while_danger_is_far_and_does_not_run_past_its_prey() {
        let walls = Walls::draw(&mut GameRng::seed_from_u64(1));
        let [here, far] = [Point::units(40, 40), Point::units(1160, 760)];
        assert_eq!(Legs::SPRINTER.flee(here, far, &walls), Action::default());

        let near = Point::units(40, 49);
        let Action { dx, dy, .. } = Legs::CHASER.chase(here, [near].into_iter(), &walls);
        assert_eq!((dx.get(), dy.get()), (0, 333));
    }

    #[test]
    fn chase_goes_for_the_nearest_and_rather_for_one_in_sight() {
        let walls = Walls([Wall::from_corner_and_size([300, 300, 40, 100]); WALLS]);
        let here = Point::units(250, 350);
        let behind_the_wall = Point::units(390, 350);
        let in_sight = Point::units(50, 350);
        let farther = Point::units(250, 650);
        let prey = [behind_the_wall, farther, in_sight].into_iter();
        let Action { dx, dy, .. } = Legs::CHASER.chase(here, prey, &walls);
        assert_eq!((dx.get(), dy.get()), (-1000, 0));

        let Action { dx, dy, .. } = Legs::CHASER.chase(here, [behind_the_wall].into_iter(), &walls);
        assert!(dx.get() > 0 && dy.get().abs() > 700, "around the corner: {dx:?} {dy:?}");
    }
}
