//! A round: who runs where, who is it, for how long each was, and how it ends.

use std::time::Duration;

use parlor_core::rand::RngExt as _;
use parlor_core::rand::seq::SliceRandom as _;
use parlor_core::{Audience, Ctx, PlayerId, Time};
use serde::{Deserialize, Serialize};

use super::field::{self, Point, UNIT, Walls};
use super::messages::{Event, Outcome, Rank, Timer, View};
use super::{Action, Arena, HEIGHT, PLAYERS_MAX, RADIUS, STEPS_PER_SECOND, WIDTH};

/// Everything about a game of tag. Flat, for every step begins with a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub(super) walls: Walls,
    /// Nobody before the start.
    runners: [Option<Runner>; PLAYERS_MAX],
    /// Who is it while the round is on, and since when.
    it: Option<(PlayerId, Time)>,
    /// Until when nobody can be tagged.
    safe_until: Time,
    deadline: Option<Time>,
    is_over: bool,
}

/// A player in the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Runner {
    pub(super) id: PlayerId,
    pub(super) at: Point,
    heading: Heading,
    wants_to_dash: bool,
    /// Until when it dashes, and from when on it may again.
    dash: Option<(Time, Time)>,
    /// For how long it was it, without the time since it is.
    it_ms: u64,
}

/// A direction and how fast, in thousandths of full speed: never more than that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Heading {
    x: i16,
    y: i16,
}

impl State {
    /// A field that nobody runs in yet.
    pub(super) fn new(walls: Walls) -> Self {
        Self {
            walls,
            runners: [None; PLAYERS_MAX],
            it: None,
            safe_until: Time::default(),
            deadline: None,
            is_over: false,
        }
    }

    /// Puts the players on spots by lot, and makes one of them it.
    pub(super) fn start(&mut self, ctx: &mut Ctx<'_, Arena>) {
        let mut spots: Vec<Point> = field::spots().collect();
        spots.shuffle(ctx.rng());
        for (seat, at) in ctx.players().zip(spots) {
            self.admit(Runner::new(seat.id(), at, 0));
        }
        self.deadline = Some(ctx.set_timer(Timer::RoundOver, ctx.options().round_time()));
        self.choose(ctx);
    }

    /// Lets one who comes in late begin far from everyone, and with as much time as the others have on
    /// average: to come late is no advantage.
    pub(super) fn join(&mut self, player: PlayerId, ctx: &Ctx<'_, Arena>) {
        if self.it.is_none() {
            return;
        }
        let now = ctx.now();
        let times = self.runners().map(|runner| self.it_ms(runner, now));
        let average = times.clone().sum::<u64>() / times.count().max(1) as u64;
        let spot = field::loneliest_spot(self.runners().map(|runner| runner.at));
        self.admit(Runner::new(player, spot, average));
    }

    /// Goes on without `player`. Who is left alone has come in first.
    pub(super) fn remove(&mut self, player: PlayerId, ctx: &mut Ctx<'_, Arena>) {
        for place in &mut self.runners {
            if place.is_some_and(|runner| runner.id == player) {
                *place = None;
            }
        }
        let Some((it, _)) = self.it else { return };
        if self.runners().count() < 2 {
            self.finish(ctx);
        } else if it == player {
            self.choose(ctx);
        }
    }

    pub(super) fn head(&mut self, player: PlayerId, action: Action) {
        if let Some(runner) = self.runner_mut(player) {
            runner.heading = Heading::of(action);
            runner.wants_to_dash = action.dash;
        }
    }

    /// Everyone goes on for one step; then the one who is it may tag one of those it touches.
    pub(super) fn step(&mut self, ctx: &mut Ctx<'_, Arena>) {
        let Some((it, _)) = self.it else { return };
        let now = ctx.now();
        let walls = self.walls;
        for runner in self.runners.iter_mut().flatten() {
            if runner.starts_to_dash(now) {
                tell(ctx, Event::Dashed { player: runner.id });
            }
            runner.at = walls.slide(runner.at, runner.way(runner.id == it, now));
        }
        if now >= self.safe_until
            && let Some(tagged) = self.nearest_touched(it)
        {
            self.pass_on(tagged, now);
            tell(ctx, Event::Tagged { by: it, player: tagged });
        }
    }

    /// Ends the round: who was it for the shortest time has come in first.
    pub(super) fn finish(&mut self, ctx: &mut Ctx<'_, Arena>) {
        self.settle_time(ctx.now());
        self.it = None;
        self.deadline = None;
        self.is_over = true;
        ctx.finish(Outcome { ranking: self.ranking() });
    }

    pub(super) fn view(&self) -> View {
        let ranking = if self.is_over { self.ranking() } else { Vec::new() };
        let size = |units: i32| i16::try_from(units).expect("a field is small");
        View {
            field: [WIDTH, HEIGHT].map(size),
            radius: size(RADIUS),
            walls: self.walls.0.map(field::Wall::corner_and_size),
            at: self.runners().map(|runner| (runner.id, runner.at.rounded())).collect(),
            it: self.it.map(|(it, _)| it),
            since: self.it.map(|(_, since)| since),
            it_ms: self.runners().map(|runner| (runner.id, runner.it_ms)).collect(),
            safe_until: self.safe_until,
            dash_at: self
                .runners()
                .filter_map(|runner| Some((runner.id, runner.dash?.1)))
                .collect(),
            deadline: self.deadline,
            ranking: ranking.into_iter().map(|rank| rank.player_id).collect(),
        }
    }

    /// Those in the field, in no order that means anything.
    pub(super) fn runners(&self) -> impl Iterator<Item = &Runner> + Clone {
        self.runners.iter().flatten()
    }

    fn runner_mut(&mut self, player: PlayerId) -> Option<&mut Runner> {
        self.runners.iter_mut().flatten().find(|runner| runner.id == player)
    }

    fn admit(&mut self, runner: Runner) {
        let free = self.runners.iter_mut().find(|place| place.is_none());
        *free.expect("a room has no more seats than the field has places") = Some(runner);
    }

    /// Makes somebody it by lot.
    fn choose(&mut self, ctx: &mut Ctx<'_, Arena>) {
        let lot = ctx.rng().random_range(0..self.runners().count());
        let player = self.runners().nth(lot).expect("the lot is among them").id;
        self.pass_on(player, ctx.now());
        tell(ctx, Event::Chosen { player });
    }

    fn pass_on(&mut self, player: PlayerId, now: Time) {
        self.settle_time(now);
        self.it = Some((player, now));
        self.safe_until = now + SAFE;
    }

    /// Puts the time of who is it on its account, up to now. Who is it then is for the caller to say.
    fn settle_time(&mut self, now: Time) {
        if let Some((it, since)) = self.it
            && let Some(runner) = self.runner_mut(it)
        {
            runner.it_ms += millis(now.since(since));
        }
    }

    fn it_ms(&self, runner: &Runner, now: Time) -> u64 {
        let open = self.it.filter(|(it, _)| *it == runner.id).map(|(_, since)| now.since(since));
        runner.it_ms + open.map_or(0, millis)
    }

    fn nearest_touched(&self, it: PlayerId) -> Option<PlayerId> {
        let at = self.runners().find(|runner| runner.id == it)?.at;
        self.runners()
            .filter(|runner| runner.id != it && runner.at.is_near(at, 2 * RADIUS))
            .min_by_key(|runner| (runner.at.distance_squared(at), runner.id))
            .map(|runner| runner.id)
    }

    fn ranking(&self) -> Vec<Rank> {
        let mut ranking: Vec<Rank> = self
            .runners()
            .map(|runner| Rank { player_id: runner.id, it_ms: runner.it_ms })
            .collect();
        ranking.sort_by_key(|rank| (rank.it_ms, rank.player_id));
        ranking
    }
}

impl Runner {
    fn new(id: PlayerId, at: Point, it_ms: u64) -> Self {
        Self { id, at, heading: Heading::default(), wants_to_dash: false, dash: None, it_ms }
    }

    /// Begins to dash, if it wants to, may, and runs at all. Says whether it does.
    fn starts_to_dash(&mut self, now: Time) -> bool {
        let may = self.dash.is_none_or(|(_, again)| now >= again);
        let starts = self.wants_to_dash && may && self.heading != Heading::default();
        if starts {
            self.dash = Some((now + DASH, now + DASH_AGAIN));
        }
        starts
    }

    /// What it wants to cover in one step.
    fn way(&self, is_it: bool, now: Time) -> Point {
        let speed = if is_it { SPEED_IT } else { SPEED };
        let is_dashing = self.dash.is_some_and(|(until, _)| now < until);
        let units = if is_dashing { speed * DASH_TENTHS / 10 } else { speed };
        let along = |part: i16| i32::from(part) * units / STEPS_PER_SECOND;
        Point { x: along(self.heading.x), y: along(self.heading.y) }
    }
}

impl Heading {
    fn of(action: Action) -> Self {
        let (x, y) = (i32::from(action.dx.get()), i32::from(action.dy.get()));
        let squared = x * x + y * y;
        let floor = squared.isqrt();
        // Rounded up, so that nobody is faster than full speed by the rounding.
        let length = floor + i32::from(floor * floor < squared);
        let part = |value: i32| {
            let scaled = if length > FULL { value * FULL / length } else { value };
            i16::try_from(scaled).expect("a part is not longer than the whole")
        };
        Self { x: part(x), y: part(y) }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("a round is not that long")
}

/// There is nothing to hide.
fn tell(ctx: &mut Ctx<'_, Arena>, event: Event) {
    ctx.emit(Audience::Everyone, event);
}

/// Full speed, in thousandths.
const FULL: i32 = 1000;

/// Full speed of those who run away, in units a second.
pub(super) const SPEED: i32 = 240;

/// Full speed of who is it: a little more, or it would never catch anyone.
pub(super) const SPEED_IT: i32 = 270;

/// How many tenths of full speed a dash is.
pub(super) const DASH_TENTHS: i32 = 25;

/// How long a dash lasts.
pub(super) const DASH: Duration = Duration::from_millis(200);

/// The time from the beginning of one dash to the next.
pub(super) const DASH_AGAIN: Duration = Duration::from_millis(2500);

/// For how long nobody can be tagged after another one is it.
pub(super) const SAFE: Duration = Duration::from_millis(1500);

const _: () = assert!(FULL == UNIT, "a part of full speed is a way in thousandths of a unit");
