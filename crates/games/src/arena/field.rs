//! The field: its size, its walls, and how a player moves among them.
//!
//! Places are whole thousandths of a unit, so that every machine gets the same sums. Knows nothing of
//! players, time and the game. A player is a square as far as walls are concerned, which makes sliding
//! along them a matter of one axis at a time; for everything else it is a disc.

use parlor_core::rand::RngExt as _;
use parlor_core::rand::seq::SliceRandom as _;
use parlor_core::{GameRng, PlayerMap};
use serde::{Deserialize, Serialize};

/// The field's width, in units.
pub const WIDTH: i32 = 1200;

/// The field's height, in units.
pub const HEIGHT: i32 = 800;

/// Half of a player's width, in units.
pub const RADIUS: i32 = 20;

/// How many walls stand in the field.
pub const WALLS: usize = 8;

/// A unit in the numbers that places are made of.
pub(super) const UNIT: i32 = 1000;

/// A place, or a way from one to another, in thousandths of a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) x: i32,
    pub(super) y: i32,
}

/// A wall: an upright rectangle, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wall {
    left: i16,
    top: i16,
    width: i16,
    height: i16,
}

/// All walls of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Walls(pub(super) [Wall; WALLS]);

/// Where the middle of a player cannot be because of a wall; the edges themselves are free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shadow {
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
}

impl Point {
    pub(super) const fn units(x: i32, y: i32) -> Self {
        Self { x: x * UNIT, y: y * UNIT }
    }

    /// The nearest whole units.
    pub(super) fn rounded(self) -> [i16; 2] {
        let round = |value: i32| i16::try_from((value + UNIT / 2).div_euclid(UNIT));
        [self.x, self.y].map(|value| round(value).expect("a field is 32 thousand units at most"))
    }

    /// The square of the distance, which is enough to compare by.
    pub(super) fn distance_squared(self, other: Self) -> i64 {
        let (x, y) = (i64::from(other.x - self.x), i64::from(other.y - self.y));
        x * x + y * y
    }

    pub(super) fn distance(self, other: Self) -> i64 {
        self.distance_squared(other).isqrt()
    }

    pub(super) fn is_near(self, other: Self, units: i32) -> bool {
        let reach = i64::from(units * UNIT);
        self.distance_squared(other) <= reach * reach
    }
}

impl Wall {
    /// Left, top, width, height.
    pub(super) fn corner_and_size(self) -> [i16; 4] {
        [self.left, self.top, self.width, self.height]
    }

    pub(super) fn from_corner_and_size([left, top, width, height]: [i16; 4]) -> Self {
        Self { left, top, width, height }
    }

    /// The wall and `margin` units around it.
    pub(super) fn shadow(self, margin: i32) -> Shadow {
        let [left, top, width, height] = self.corner_and_size().map(i32::from);
        Shadow {
            left: (left - margin) * UNIT,
            top: (top - margin) * UNIT,
            right: (left + width + margin) * UNIT,
            bottom: (top + height + margin) * UNIT,
        }
    }
}

impl Shadow {
    #[cfg(test)]
    pub(super) fn contains(&self, at: Point) -> bool {
        self.left < at.x && at.x < self.right && self.top < at.y && at.y < self.bottom
    }

    pub(super) fn corners(&self) -> [Point; 4] {
        let Self { left, top, right, bottom } = *self;
        [(left, top), (right, top), (right, bottom), (left, bottom)].map(|(x, y)| Point { x, y })
    }

    /// Whether the straight way from one place to another leads through it.
    pub(super) fn is_between(&self, from: Point, to: Point) -> bool {
        let is_beside = from.x.max(to.x) <= self.left
            || from.x.min(to.x) >= self.right
            || from.y.max(to.y) <= self.top
            || from.y.min(to.y) >= self.bottom;
        if is_beside {
            return false;
        }
        // A line misses a rectangle when all corners lie on one side of it.
        let (x, y) = (i64::from(to.x - from.x), i64::from(to.y - from.y));
        let sides = self
            .corners()
            .map(|corner| x * i64::from(corner.y - from.y) - y * i64::from(corner.x - from.x));
        sides.iter().any(|side| *side > 0) && sides.iter().any(|side| *side < 0)
    }
}

impl Walls {
    /// Draws a layout: one half by lot, the other the same turned around, so that no side is better.
    ///
    /// The field is divided into cells with at most one wall in each, which keeps [`AISLE`] away from
    /// the cell's edges. So the edges can be walked along, and every free place can be reached.
    pub(super) fn draw(rng: &mut GameRng) -> Self {
        let mut cells: [i32; CELLS] = [0, 1, 2, 3, 4, 5];
        cells.shuffle(rng);
        let mut walls = [Wall { left: 0, top: 0, width: 0, height: 0 }; WALLS];
        for (pair, cell) in walls.chunks_exact_mut(2).zip(cells) {
            let (column, row) = (cell % 2, cell / 2);
            let mut across = |from: i32, to: i32, longest: i32| {
                let room = to - from - 2 * AISLE;
                let length = rng.random_range(WALL_MIN..=room.min(longest));
                let start = from + AISLE + rng.random_range(0..=room - length);
                [start, length].map(|units| i16::try_from(units).expect("a field is small"))
            };
            let [left, width] = across(column * CELL_WIDTH, (column + 1) * CELL_WIDTH, 170);
            let [top, height] = across(row * CELL_HEIGHT, (row + 1) * CELL_HEIGHT, 130);
            let wall = Wall { left, top, width, height };
            pair.copy_from_slice(&[wall, wall.turned_around()]);
        }
        Self(walls)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Wall> {
        self.0.iter()
    }

    /// Whether a player can be at this place. Nobody asks: whoever slides stays where it can be.
    #[cfg(test)]
    pub(super) fn leave_free(&self, at: Point) -> bool {
        at == within_edges(at) && !self.iter().any(|wall| wall.shadow(RADIUS).contains(at))
    }

    /// Where a player gets to that starts `from` a free place and wants to go `by`.
    ///
    /// First across, then up or down, each as far as nothing stands in the way: what is lost on one
    /// axis is kept on the other, which is sliding. No length of a way leads through a wall.
    pub(super) fn slide(&self, from: Point, by: Point) -> Point {
        let mut at =
            within_edges(Point { x: from.x.saturating_add(by.x), y: from.y.saturating_add(by.y) });
        for wall in self.iter() {
            let shadow = wall.shadow(RADIUS);
            if shadow.top < from.y && from.y < shadow.bottom {
                at.x = stop_before(shadow.left, shadow.right, from.x, at.x);
            }
        }
        for wall in self.iter() {
            let shadow = wall.shadow(RADIUS);
            if shadow.left < at.x && at.x < shadow.right {
                at.y = stop_before(shadow.top, shadow.bottom, from.y, at.y);
            }
        }
        at
    }
}

impl Wall {
    /// Where it is when the field is turned upside down.
    fn turned_around(self) -> Self {
        let turn = |start: i16, length: i16, whole: i32| {
            let turned = whole - i32::from(start) - i32::from(length);
            i16::try_from(turned).expect("a field is small")
        };
        Self {
            left: turn(self.left, self.width, WIDTH),
            top: turn(self.top, self.height, HEIGHT),
            ..self
        }
    }
}

/// How far one gets on a line from `from` to `to` on which `low` to `high` is taken.
fn stop_before(low: i32, high: i32, from: i32, to: i32) -> i32 {
    if from <= low {
        to.min(low)
    } else if from >= high {
        to.max(high)
    } else {
        to
    }
}

fn within_edges(at: Point) -> Point {
    Point {
        x: at.x.clamp(RADIUS * UNIT, (WIDTH - RADIUS) * UNIT),
        y: at.y.clamp(RADIUS * UNIT, (HEIGHT - RADIUS) * UNIT),
    }
}

/// Places to begin at, free in every layout: where the edges of cells cross.
pub(super) fn spots() -> impl Iterator<Item = Point> {
    let rows = [2 * RADIUS, CELL_HEIGHT, 2 * CELL_HEIGHT, HEIGHT - 2 * RADIUS];
    let columns = [2 * RADIUS, CELL_WIDTH, 2 * CELL_WIDTH, 3 * CELL_WIDTH, WIDTH - 2 * RADIUS];
    rows.into_iter().flat_map(move |y| columns.into_iter().map(move |x| Point::units(x, y)))
}

/// The spot that is farthest from everyone.
pub(super) fn loneliest_spot(others: impl Iterator<Item = Point> + Clone) -> Point {
    spots()
        .max_by_key(|spot| others.clone().map(|other| spot.distance_squared(other)).min())
        .expect("there are spots")
}

/// Places as everyone sees them.
pub(super) type Places = PlayerMap<[i16; 2]>;

/// Cells in one half of the field.
const CELLS: usize = 6;
const CELL_WIDTH: i32 = WIDTH / 4;
const CELL_HEIGHT: i32 = HEIGHT / 3;

/// What a wall keeps away from the edges of its cell. Wider than a player, by some.
const AISLE: i32 = 3 * RADIUS;

/// The shortest side of a wall.
const WALL_MIN: i32 = 40;

#[cfg(test)]
pub(super) mod tests {
    use parlor_core::rand::SeedableRng as _;
    use proptest::prelude::*;

    use super::*;

    /// A layout as rooms have them.
    pub(in super::super) fn layout() -> impl Strategy<Value = Walls> {
        any::<u64>().prop_map(|seed| Walls::draw(&mut GameRng::seed_from_u64(seed)))
    }

    /// A place in the field, in whole units; perhaps in a wall.
    pub(in super::super) fn free_place() -> impl Strategy<Value = Point> {
        let (x, y) = (RADIUS..=WIDTH - RADIUS, RADIUS..=HEIGHT - RADIUS);
        (x, y).prop_map(|(x, y)| Point::units(x, y))
    }

    /// As far as one gets by whole units, looking at each: first across, then up or down.
    fn creep(walls: &Walls, from: Point, by: Point) -> Point {
        let mut at = from;
        for _ in 0..by.x.abs() / UNIT {
            let next = Point { x: at.x + by.x.signum() * UNIT, ..at };
            if !walls.leave_free(next) {
                break;
            }
            at = next;
        }
        for _ in 0..by.y.abs() / UNIT {
            let next = Point { y: at.y + by.y.signum() * UNIT, ..at };
            if !walls.leave_free(next) {
                break;
            }
            at = next;
        }
        at
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// However far one goes at once, one gets exactly as far as by feeling one's way unit by unit.
        #[test]
        fn no_way_leads_through_a_wall_however_fast(
            walls in layout(),
            from in free_place(),
            (x, y) in (-2000..=2000, -2000..=2000),
        ) {
            prop_assume!(walls.leave_free(from));
            let by = Point::units(x, y);
            prop_assert_eq!(walls.slide(from, by), creep(&walls, from, by));
        }

        /// Not only in whole units, and to the ends of what numbers can say.
        #[test]
        fn every_way_ends_in_a_free_place(
            walls in layout(),
            from in free_place(),
            ways in prop::collection::vec((any::<i32>(), any::<i32>()), 1..20),
            short in prop::collection::vec((-30_000..30_000, -30_000..30_000), 1..40),
        ) {
            prop_assume!(walls.leave_free(from));
            let mut at = from;
            for (x, y) in short.into_iter().chain(ways) {
                at = walls.slide(at, Point { x, y });
                prop_assert!(walls.leave_free(at), "{at:?}");
            }
        }

        #[test]
        fn layout_is_fair_and_leaves_spots_and_aisles_free(walls in layout()) {
            for spot in spots() {
                prop_assert!(walls.leave_free(spot), "{spot:?}");
            }
            for (number, wall) in walls.iter().enumerate() {
                prop_assert!(walls.0.contains(&wall.turned_around()));
                let wide = wall.shadow(2 * RADIUS);
                for other in &walls.0[number + 1..] {
                    let corners = other.shadow(2 * RADIUS).corners();
                    prop_assert!(!corners.iter().any(|corner| wide.contains(*corner)));
                }
                let [left, top, width, height] = wall.corner_and_size().map(i32::from);
                prop_assert!(left >= AISLE && left + width <= WIDTH - AISLE);
                prop_assert!(top >= AISLE && top + height <= HEIGHT - AISLE);
                prop_assert!(width >= WALL_MIN && height >= WALL_MIN);
            }
        }

        /// Asked for a thousand places on the way, a straight line says the same.
        #[test]
        fn wall_is_between_when_the_straight_way_leads_through_it(
            from in free_place(),
            to in free_place(),
            walls in layout(),
        ) {
            for wall in walls.iter() {
                let shadow = wall.shadow(RADIUS);
                let is_on_the_way = (0..=1000).any(|part| {
                    let along = |from: i32, to: i32| from + (to - from) / 1000 * part;
                    let on_the_way = Point { x: along(from.x, to.x), y: along(from.y, to.y) };
                    shadow.contains(on_the_way)
                });
                if is_on_the_way {
                    prop_assert!(shadow.is_between(from, to));
                } else {
                    // A corner that is only just cut may be missed by the thousand.
                    let inner = wall.shadow(RADIUS - 3);
                    prop_assert!(!inner.is_between(from, to));
                }
            }
        }
    }

    #[test]
    fn way_against_a_wall_slides_along_it() {
        let walls = Walls([Wall::from_corner_and_size([300, 300, 40, 200]); WALLS]);
        let at = walls.slide(Point::units(270, 400), Point::units(30, 15));
        assert_eq!(at, Point::units(280, 415));
        let at = walls.slide(at, Point::units(30, 15));
        assert_eq!(at, Point::units(280, 430));
        // Past its end it goes on freely.
        let at = walls.slide(Point::units(280, 510), Point::units(0, 15));
        assert_eq!(walls.slide(at, Point::units(30, 0)), Point::units(310, 525));
    }

    #[test]
    fn edges_hold() {
        let walls = Walls([Wall::from_corner_and_size([300, 300, 40, 200]); WALLS]);
        let corner = walls.slide(Point::units(30, 30), Point::units(-5000, -5000));
        assert_eq!(corner, Point::units(RADIUS, RADIUS));
        let corner = walls.slide(corner, Point::units(5000, 5000));
        assert_eq!(corner, Point::units(WIDTH - RADIUS, HEIGHT - RADIUS));
    }

    #[test]
    fn layouts_differ() {
        let draw = |seed| Walls::draw(&mut GameRng::seed_from_u64(seed));
        assert!((1..20).any(|seed| draw(seed) != draw(0)));
        assert_eq!(draw(7), draw(7));
    }

    #[test]
    fn loneliest_spot_is_far_from_everyone() {
        let others = [Point::units(100, 100), Point::units(1100, 100)];
        let spot = loneliest_spot(others.into_iter());
        assert_eq!(spot, Point::units(WIDTH / 2, HEIGHT - 2 * RADIUS));
    }
}
