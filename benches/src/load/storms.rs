//! Everybody at once: joins, and returns after all connections were cut.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use serde_json::json;

use super::crowd::{Answer, Crowd, CrowdError, Seating, is_answer_to_joining};
use super::fleet::Happening;
use super::objective::Objective;
use super::process::{Reading, memory_bytes};
use super::report::{Figure, Percentiles, Usage};
use super::steady::{Pace, histogram, measure, micros, percentiles};
use super::target::Target;

/// What sitting down cost.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) crowd_size: usize,
    pub(super) took: Duration,
    pub(super) usage: Option<Usage>,
    /// Memory that each of them takes at rest.
    pub(super) bytes_each: Option<f64>,
}

/// Lets a crowd connect and sit down as fast as the server lets it. The crowd is given back in its seats.
pub(super) fn join(target: &Target, seating: Seating) -> Result<(Crowd, Joined), CrowdError> {
    let process = target.process();
    // One room first, so that what is made on first use is not counted.
    let first = Crowd::seat(Seating { players: seating.room_players, ..seating.clone() })?;
    let before = process.map(memory_bytes).transpose()?;
    let reading = process.map(Reading::take).transpose()?;
    let began = Instant::now();
    let players = seating.players;
    let mut crowd = Crowd::seat(seating)?;
    let took = began.elapsed();
    let usage = match (process, reading) {
        (Some(process), Some(reading)) => Some(reading.usage_since(process)?),
        _ => None,
    };
    crowd.settle()?;
    let after = process.map(memory_bytes).transpose()?;
    drop(first);
    let bytes_each = before
        .zip(after)
        .map(|(before, after)| after.saturating_sub(before) as f64 / players as f64);
    Ok((crowd, Joined { crowd_size: players, took, usage, bytes_each }))
}

impl Joined {
    pub(super) fn figures(&self, name: &str) -> Vec<Figure> {
        let seconds = self.took.as_secs_f64();
        let each = self.crowd_size as f64;
        let figure = |what: &str, value: f64, unit: &str| Figure {
            name: format!("{name}: {what}"),
            value,
            unit: unit.to_owned(),
        };
        let mut figures =
            vec![figure("players", each, ""), figure("joins a second", each / seconds, "1/s")];
        if let Some(usage) = self.usage {
            let cores = usage.user_cores + usage.kernel_cores;
            figures.push(figure(
                "processor time for each join",
                cores * seconds * 1e3 / each,
                "ms",
            ));
        }
        if let Some(bytes) = self.bytes_each {
            figures.push(figure("memory for each connection", bytes / 1024.0, "KiB"));
        }
        figures
    }
}

/// What coming back was like.
#[derive(Debug)]
pub(super) struct Returned {
    /// From the cut until the last one was back.
    pub(super) took: Duration,
    pub(super) replayed: usize,
    pub(super) snapshots: usize,
    pub(super) refused: usize,
    /// Connections that broke on the way.
    pub(super) broken: u64,
    /// From asking to the answer.
    pub(super) answer: Percentiles,
}

/// Cuts the connections of all and lets them come back, so many on their way at a time.
pub(super) fn cut_and_return(crowd: &mut Crowd) -> io::Result<Returned> {
    follow(crowd)?;
    let (server, codec) = (crowd.seating().server, crowd.seating().codec);
    let began = Instant::now();
    for number in 0..crowd.seats.len() {
        crowd.fleet.close(number);
    }
    let mut to_come: VecDeque<usize> = (0..crowd.seats.len()).collect();
    let mut asked_at = vec![Duration::ZERO; crowd.seats.len()];
    let mut happened = Vec::new();
    let mut answers = histogram();
    let (mut on_their_way, mut back) = (0, 0);
    let mut returned = Returned {
        took: Duration::ZERO,
        replayed: 0,
        snapshots: 0,
        refused: 0,
        broken: 0,
        answer: Percentiles::default(),
    };
    while back < crowd.seats.len() && began.elapsed() < PATIENCE {
        while on_their_way < crowd.seating().joining_max
            && let Some(number) = to_come.pop_front()
        {
            crowd.fleet.connect_again(number, server, "/ws", codec)?;
            on_their_way += 1;
        }
        crowd.fleet.turn(TURN, |number, happening| match happening {
            Happening::Open => happened.push((number, None, false)),
            Happening::Message(payload) if is_answer_to_joining(payload) => {
                happened.push((number, Answer::read(codec, payload), false));
            }
            Happening::Message(_) => {}
            Happening::Lost => happened.push((number, None, true)),
        })?;
        for (number, answer, is_lost) in happened.drain(..) {
            if is_lost {
                returned.broken += 1;
                on_their_way -= 1;
                to_come.push_back(number);
                continue;
            }
            let Some(answer) = answer else {
                let seat = &crowd.seats[number];
                let data =
                    json!({"sessionToken": seat.token, "epoch": seat.epoch, "lastSeq": seat.seq});
                let request = json!({"type": "reconnect", "id": 1, "data": data});
                asked_at[number] = began.elapsed();
                crowd.ask(number, &request);
                continue;
            };
            answers.saturating_record(micros(began.elapsed() - asked_at[number]));
            match answer.data.resumed.as_deref() {
                Some("replayed") => returned.replayed += 1,
                Some(_) => returned.snapshots += 1,
                None => returned.refused += 1,
            }
            on_their_way -= 1;
            back += 1;
        }
    }
    returned.took = began.elapsed();
    returned.answer = percentiles(&answers);
    Ok(returned)
}

/// Lets each ask up to which number it has seen everything, and keeps that.
fn follow(crowd: &mut Crowd) -> io::Result<()> {
    for number in 0..crowd.seats.len() {
        crowd.ask(number, &json!({"type": "get_state"}));
    }
    let codec = crowd.seating().codec;
    let until = Instant::now() + FOLLOW_MAX;
    let mut quiet_since = Instant::now();
    let mut seen = Vec::new();
    while Instant::now() < until && quiet_since.elapsed() < QUIET {
        crowd.fleet.turn(TURN, |number, happening| {
            quiet_since = Instant::now();
            if let Happening::Message(payload) = happening
                && let Some(answer) = Answer::read(codec, payload)
                && answer.success
            {
                seen.push((number, answer.data.seq));
            }
        })?;
        for (number, seq) in seen.drain(..) {
            crowd.seats[number].seq = crowd.seats[number].seq.max(seq);
        }
    }
    Ok(())
}

/// What others feel of a storm: their latency while `storm` goes on in another thread.
pub(super) fn bystanders<T: Send>(
    seating: Seating,
    objective: &Objective,
    duration: Duration,
    storm: impl FnOnce() -> T + Send,
) -> Result<(T, super::report::Step), CrowdError> {
    let actions_per_second = seating.players as f64;
    let mut crowd = Crowd::seat(seating)?;
    crowd.settle()?;
    let pace = Pace {
        actions_per_second,
        warm_up: Duration::from_millis(200),
        duration,
        one_sender: false,
    };
    std::thread::scope(|scope| {
        let storm = scope.spawn(storm);
        let step = measure(&mut crowd, &pace, None, objective)?;
        let storm = storm.join().map_err(|_| io::Error::other("the storm broke down"))?;
        Ok((storm, step))
    })
}

const TURN: Duration = Duration::from_millis(5);
const QUIET: Duration = Duration::from_millis(300);
const FOLLOW_MAX: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(60);
