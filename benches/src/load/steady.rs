//! Load at a steady rate, and at rising ones until an objective breaks.
//!
//! Open loop: each action has a time at which it is to be sent, whatever became of those before it, and latency
//! counts from that time. A server that stalls is so charged for everybody who would have asked meanwhile.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use memchr::memmem;
use parlor_protocol::Codec;

use super::crowd::{Crowd, CrowdError, Seating};
use super::fleet::Happening;
use super::objective::Objective;
use super::process::Reading;
use super::report::{Percentiles, Series, Step, Verdict};
use super::scrape::Watch;
use super::stamp::Stamp;
use super::target::Target;

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) actions_per_second: f64,
    pub(super) warm_up: Duration,
    pub(super) duration: Duration,
    /// Whether only the first player of each room acts.
    pub(super) one_sender: bool,
}

/// Lets the crowd act at a pace and counts what comes of it.
pub(super) fn measure(
    crowd: &mut Crowd,
    pace: &Pace,
    process: Option<u32>,
    objective: &Objective,
) -> io::Result<Step> {
    let order = Order::new(crowd.seating(), pace.one_sender);
    let interval = Duration::from_secs_f64(1.0 / pace.actions_per_second);
    let began = Instant::now();
    let counted_from = pace.warm_up;
    let counted_to = pace.warm_up + pace.duration;
    let mut count = Count::new(counted_from, counted_to);
    let mut reading = None;
    let mut usage = None;
    let mut watch = None;
    let mut queue = None;
    let mut bytes_before = 0;
    let mut idle = Duration::ZERO;
    let mut lag = histogram();
    let mut message = Vec::new();
    let lost_before = crowd.fleet.lost;

    let mut number = 0_u64;
    let mut next = Duration::ZERO;
    loop {
        let now = began.elapsed();
        if reading.is_none() && now >= counted_from {
            reading = Some(process.map(Reading::take).transpose()?);
            bytes_before = crowd.fleet.bytes_read;
            idle = Duration::ZERO;
            let Seating { has_seats, server, .. } = *crowd.seating();
            watch = has_seats.then(|| Watch::begin(server));
        }
        if usage.is_none() && now >= counted_to {
            let used = match (process, reading.flatten()) {
                (Some(process), Some(reading)) => Some(reading.usage_since(process)?),
                _ => None,
            };
            usage = Some((used, crowd.fleet.bytes_read - bytes_before, idle));
            queue = watch.take().and_then(Watch::end);
        }
        let mut in_a_row = 0;
        while next <= now && next < counted_to && in_a_row < SENDS_PER_TURN {
            let player = order.player(number);
            crowd.act(player, Stamp::of(micros(next)), &mut message);
            if next >= counted_from {
                count.sent += 1;
                count.expected += crowd.companions(player) as u64;
                lag.saturating_record(micros(began.elapsed().saturating_sub(next)));
            }
            number += 1;
            in_a_row += 1;
            next = interval.mul_f64(number as f64);
        }
        // What was due and is not sent yet counts as well: a generator that was held up sends it late.
        let is_done = next >= counted_to && count.delivered >= count.expected;
        if now >= counted_to && (is_done || now >= counted_to + DRAIN_MAX) {
            break;
        }
        // A timer of whole milliseconds would send late: what is due before then is waited for by looking.
        let until_next = next.saturating_sub(began.elapsed());
        let timeout =
            if next < counted_to && until_next < COARSE { Duration::ZERO } else { COARSE };
        let looked = Instant::now();
        let mut something = in_a_row > 0;
        let codec = crowd.seating().codec;
        crowd.fleet.turn(timeout, |_, happening| {
            something = true;
            if let Happening::Message(payload) = happening {
                count.take(codec, payload, began);
            }
        })?;
        if !something {
            idle += looked.elapsed();
        }
    }

    let (usage, bytes, idle) = usage.unwrap_or_default();
    let seconds = pace.duration.as_secs_f64();
    let mut step = Step {
        players: crowd.seating().players,
        rooms: crowd.seating().players.div_ceil(crowd.seating().room_players),
        wanted_per_second: pace.actions_per_second * crowd.companions(0) as f64,
        delivered_per_second: count.arrived as f64 / seconds,
        seconds,
        sent: count.sent,
        expected: count.expected,
        delivered: count.delivered,
        refused: count.refused,
        disconnected: crowd.fleet.lost - lost_before,
        latency: percentiles(&count.latency),
        lag: percentiles(&lag),
        generator_cores: (1.0 - idle.as_secs_f64() / seconds).clamp(0.0, 1.0),
        bytes_per_second: bytes as f64 / seconds,
        usage,
        queue,
        verdict: Verdict::Held,
    };
    step.verdict = verdict(&step, objective);
    Ok(step)
}

fn verdict(step: &Step, objective: &Objective) -> Verdict {
    if objective.check(step).iter().all(|check| check.passed) {
        return Verdict::Held;
    }
    let allowed = objective.latency_max().unwrap_or(Duration::MAX) / 2;
    let is_late = Duration::from_micros(step.lag.p99) > allowed;
    if is_late { Verdict::GeneratorSaturated } else { Verdict::Missed }
}

/// Raises the rate by a half each time until the objective breaks, then looks in between for the highest rate that
/// holds. `told` hears of each step.
pub(super) fn climb(
    target: &Target,
    seating: Seating,
    first: Pace,
    objective: &Objective,
    requests_per_second: Option<f64>,
    told: &mut dyn FnMut(&Step),
) -> Result<Series, CrowdError> {
    let room_players = seating.room_players.min(seating.players) as f64;
    let codec = seating.codec;
    let mut climb = Climb { target, seating, crowd: None, steps: Vec::new(), requests_per_second };
    let mut held: Option<f64> = None;
    let mut broke: Option<f64> = None;
    let mut pace = first;
    for _ in 0..STEPS_MAX {
        let step = climb.step(&pace, objective)?;
        told(step);
        let rate = pace.actions_per_second;
        match step.verdict {
            Verdict::Held => held = Some(held.map_or(rate, |held| held.max(rate))),
            Verdict::Missed | Verdict::GeneratorSaturated => {
                broke = Some(broke.map_or(rate, |broke| broke.min(rate)));
            }
        }
        pace.actions_per_second = match (held, broke) {
            (_, None) => rate * STEP_UP,
            (Some(held), Some(broke)) if broke / held > CLOSE_ENOUGH => (held * broke).sqrt(),
            (None, Some(broke)) if broke > first.actions_per_second / 16.0 => broke / 2.0,
            _ => break,
        };
    }
    Ok(Series {
        target: target.name.to_owned(),
        codec: codec_name(codec).to_owned(),
        steps: climb.steps,
        held: held.map(|rate| rate * room_players),
    })
}

struct Climb<'a> {
    target: &'a Target,
    seating: Seating,
    crowd: Option<Crowd>,
    steps: Vec<Step>,
    /// What the server lets one client ask, at most.
    requests_per_second: Option<f64>,
}

impl Climb<'_> {
    fn step(&mut self, pace: &Pace, objective: &Objective) -> Result<&Step, CrowdError> {
        if let Some(allowed) = self.requests_per_second {
            self.add_players(pace, allowed);
        }
        // After a step that lost somebody all sit down anew.
        let mut crowd = match self.crowd.take() {
            Some(crowd) => crowd,
            None => Crowd::seat(self.seating.clone())?,
        };
        crowd.settle()?;
        let step = measure(&mut crowd, pace, self.target.process(), objective)?;
        if step.disconnected == 0 && step.lost() == 0 {
            self.crowd = Some(crowd);
        }
        self.steps.push(step);
        Ok(self.steps.last().expect("it has just been added"))
    }
}

impl Climb<'_> {
    /// Adds rooms until nobody has to ask more often than the server lets it.
    fn add_players(&mut self, pace: &Pace, allowed: f64) {
        let Seating { players, room_players, .. } = self.seating;
        let senders_in_room = if pace.one_sender { 1 } else { room_players };
        let senders = pace.actions_per_second / (allowed * OF_THE_LIMIT);
        let rooms = (senders / senders_in_room as f64).ceil() as usize;
        if rooms * room_players > players {
            self.seating.players = rooms * room_players;
            self.crowd = None;
        }
    }
}

/// Who acts when: one in each room after another, so that no room has two at once.
struct Order {
    rooms: u64,
    room_players: u64,
    players: u64,
    one_sender: bool,
}

impl Order {
    fn new(seating: &Seating, one_sender: bool) -> Self {
        let (players, room_players) = (seating.players as u64, seating.room_players as u64);
        Self { rooms: players.div_ceil(room_players), room_players, players, one_sender }
    }

    fn player(&self, number: u64) -> usize {
        let room = number % self.rooms;
        let first = room * self.room_players;
        let seats = self.room_players.min(self.players - first);
        let seat = if self.one_sender { 0 } else { number / self.rooms % seats };
        usize::try_from(first + seat).expect("it is one of the players")
    }
}

/// What has come of what was sent in the time that counts.
struct Count {
    from: u64,
    to: u64,
    sent: u64,
    expected: u64,
    /// Of what was sent in that time, whenever it came.
    delivered: u64,
    /// In that time, whenever it was sent.
    arrived: u64,
    refused: u64,
    latency: Histogram<u64>,
}

impl Count {
    fn new(from: Duration, to: Duration) -> Self {
        Self {
            from: micros(from),
            to: micros(to),
            sent: 0,
            expected: 0,
            delivered: 0,
            arrived: 0,
            refused: 0,
            latency: histogram(),
        }
    }

    fn take(&mut self, codec: Codec, payload: &[u8], began: Instant) {
        let Some((_, sent_at)) = Stamp::find(payload) else {
            self.refused += u64::from(is_refusal(codec, payload));
            return;
        };
        let now = micros(began.elapsed());
        if (self.from..self.to).contains(&now) {
            self.arrived += 1;
        }
        if (self.from..self.to).contains(&sent_at) {
            self.delivered += 1;
            self.latency.saturating_record(now.saturating_sub(sent_at));
        }
    }
}

/// Whether a message says that a request was refused.
fn is_refusal(codec: Codec, payload: &[u8]) -> bool {
    let words: &[u8] = match codec {
        Codec::Json => br#""success":false"#,
        Codec::MsgPack => b"\xa7success\xc2",
    };
    memmem::find(payload, words).is_some()
}

pub(super) fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::Json => "JSON",
        Codec::MsgPack => "MessagePack",
    }
}

pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_MAX_MICROS, 3).expect("these bounds are allowed")
}

pub(super) fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    let at = |part| if histogram.is_empty() { 0 } else { histogram.value_at_quantile(part) };
    Percentiles { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: histogram.max() }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

const LATENCY_MAX_MICROS: u64 = 60_000_000;
const SENDS_PER_TURN: usize = 64;
const COARSE: Duration = Duration::from_millis(2);
/// How long what was sent may still come after the time that counts.
const DRAIN_MAX: Duration = Duration::from_secs(3);
const STEP_UP: f64 = 1.5;
/// When the rate that broke is not further above the one that held, that one is the answer.
const CLOSE_ENOUGH: f64 = 1.08;
const STEPS_MAX: usize = 24;
/// How much of what a server allows is asked of it: sends are not spread perfectly.
const OF_THE_LIMIT: f64 = 0.8;

#[cfg(test)]
mod tests {
    use super::super::crowd::Voice;
    use super::*;

    fn seating(players: usize) -> Seating {
        Seating {
            server: ([127, 0, 0, 1], 1).into(),
            codec: Codec::Json,
            voice: Voice::default(),
            has_seats: true,
            players,
            room_players: 10,
            joining_max: 1,
        }
    }

    #[test]
    fn everybody_acts_as_often_and_no_room_twice_before_all_have() {
        let seating = seating(30);
        let order = Order::new(&seating, false);
        let mut acted = [0; 30];
        for number in 0..60 {
            let player = order.player(number);
            assert_eq!(player as u64 / 10, number % 3);
            acted[player] += 1;
        }
        assert_eq!(acted, [2; 30]);
        let one = Order::new(&seating, true);
        assert_eq!((0..4).map(|number| one.player(number)).collect::<Vec<_>>(), [0, 10, 20, 0]);
    }

    #[test]
    fn players_are_added_where_each_may_ask_only_so_often() {
        let target = Target::elsewhere(([127, 0, 0, 1], 1).into());
        let seating = seating(30);
        let mut climb = Climb {
            target: &target,
            seating,
            crowd: None,
            steps: Vec::new(),
            requests_per_second: None,
        };
        let pace = |actions_per_second| Pace {
            actions_per_second,
            warm_up: Duration::ZERO,
            duration: Duration::ZERO,
            one_sender: false,
        };
        climb.add_players(&pace(1400.0), 60.0);
        assert_eq!(climb.seating.players, 30, "47 a second each is allowed");
        climb.add_players(&pace(1500.0), 60.0);
        assert_eq!(climb.seating.players, 40);
    }

    #[test]
    fn only_what_was_sent_in_time_counts_and_counts_from_when_it_was_to_be_sent() {
        let mut count = Count::new(Duration::from_secs(1), Duration::from_secs(2));
        let began = Instant::now() - Duration::from_millis(1500);
        for at in [500_000, 1_400_000, 2_500_000] {
            count.take(Codec::Json, Stamp::of(at).as_str().as_bytes(), began);
        }
        count.take(Codec::Json, br#"{"type":"game_action_result","success":false}"#, began);
        count.take(Codec::Json, br#"{"type":"game_action_result","success":true}"#, began);
        assert_eq!((count.delivered, count.arrived, count.refused), (1, 3, 1));
        assert!(count.latency.max() >= 100_000, "{}", count.latency.max());
    }

    #[test]
    fn refusals_are_known_in_both_codecs() {
        let message =
            |success: bool| serde_json::json!({"type": "chat_result", "success": success});
        for codec in [Codec::Json, Codec::MsgPack] {
            let bytes = |success| codec.encode(&message(success)).unwrap();
            assert!(is_refusal(codec, &bytes(false)));
            assert!(!is_refusal(codec, &bytes(true)));
        }
    }
}
