//! Everything together for a long time, to see whether a server's memory stays flat and nothing goes wrong: rooms
//! under a steady load, people who come, say something and leave again, and real games.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::crowd::{Crowd, CrowdError, Seating};
use super::games::{BoxedGame, Played, play};
use super::objective::Objective;
use super::process::memory_bytes;
use super::report::{Check, Figure, Step};
use super::stamp::Stamp;
use super::steady::{Pace, measure};

/// What came of it.
#[derive(Debug)]
pub(super) struct Mixed {
    pub(super) step: Step,
    games: Vec<(BoxedGame, Played)>,
    comings: u64,
    /// By seconds since the beginning.
    memory: Vec<(f64, f64)>,
    duration: Duration,
}

/// Runs it for as long as `pace` says.
pub(super) fn run(
    rooms: Seating,
    pace: &Pace,
    process: u32,
    objective: &Objective,
) -> Result<Mixed, CrowdError> {
    let mut crowd = Crowd::seat(rooms.clone())?;
    crowd.settle()?;
    let duration = pace.warm_up + pace.duration;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let comings = scope.spawn(|| come_and_go(&rooms, &is_over));
        let memory = scope.spawn(|| watch_memory(process, &is_over));
        let games = BoxedGame::ALL.map(|game| {
            let (server, codec) = (rooms.server, rooms.codec);
            (game, scope.spawn(move || play(game, server, codec, GAME_PLAYERS, duration)))
        });
        let step = measure(&mut crowd, pace, Some(process), objective);
        is_over.store(true, Ordering::Relaxed);
        let broke = |_| io::Error::other("a part of the mixture broke down");
        let mut played = Vec::new();
        for (game, handle) in games {
            played.push((game, handle.join().map_err(broke)??));
        }
        Ok(Mixed {
            step: step?,
            games: played,
            comings: comings.join().map_err(broke)??,
            memory: memory.join().map_err(broke)??,
            duration,
        })
    })
}

/// Small rooms that are opened, talked in and left, one after another.
fn come_and_go(rooms: &Seating, is_over: &AtomicBool) -> Result<u64, CrowdError> {
    let seating = Seating { players: COMING, room_players: 2, ..rooms.clone() };
    let mut comings = 0;
    let mut message = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let mut crowd = Crowd::seat(seating.clone())?;
        for number in 0..COMING {
            crowd.act(number, Stamp::of(0), &mut message);
        }
        crowd.settle()?;
        // Half of them say good-bye, of the others only the connection ends.
        for number in (0..COMING).step_by(2) {
            crowd.ask(number, &json!({"type": "leave_room"}));
        }
        crowd.settle()?;
        comings += COMING as u64;
    }
    Ok(comings)
}

fn watch_memory(process: u32, is_over: &AtomicBool) -> io::Result<Vec<(f64, f64)>> {
    let began = Instant::now();
    let mut memory = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        memory.push((began.elapsed().as_secs_f64(), memory_bytes(process)? as f64));
        thread::sleep(LOOK_EVERY);
    }
    Ok(memory)
}

impl Mixed {
    pub(super) fn figures(&self) -> Vec<Figure> {
        let figure = |name: &str, value: f64, unit: &str| Figure {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
        };
        let mut figures = vec![
            figure("people who came and left", self.comings as f64, ""),
            figure(
                "memory at the end",
                self.step.usage.map_or(0.0, |usage| usage.memory_bytes as f64) / MIB,
                "MiB",
            ),
            figure(
                "growth of memory after a third of the time",
                self.growth_bytes_per_hour() / MIB,
                "MiB an hour",
            ),
        ];
        for (game, played) in &self.games {
            figures.extend(played.figures(game.name(), self.duration, None));
        }
        figures
    }

    pub(super) fn checks(&self, objective: &Objective) -> Vec<Check> {
        let mut checks = objective.check(&self.step);
        checks.push(Check {
            name: "requests refused".to_owned(),
            wanted: "0".to_owned(),
            found: self.step.refused.to_string(),
            passed: self.step.refused == 0,
        });
        checks.extend(self.games.iter().map(|(game, played)| played.check(game.name())));
        if self.duration >= LONG_ENOUGH {
            let growth = self.growth_bytes_per_hour() / MIB;
            checks.push(Check {
                name: "memory".to_owned(),
                wanted: "grows by less than 1 MiB an hour".to_owned(),
                found: format!("{growth:.2} MiB an hour"),
                passed: growth < 1.0,
            });
        }
        checks
    }

    /// The slope of the line that fits best, by least squares, over all but the first third.
    fn growth_bytes_per_hour(&self) -> f64 {
        let from = self.duration.as_secs_f64() / 3.0;
        let late: Vec<_> = self.memory.iter().filter(|(at, _)| *at >= from).copied().collect();
        slope(&late) * 3600.0
    }
}

fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|(x, _)| *x), mean(|(_, y)| *y));
    let together: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let alone: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if alone > 0.0 { together / alone } else { 0.0 }
}

const MIB: f64 = 1024.0 * 1024.0;
const GAME_PLAYERS: usize = 16;
/// Players who come at a time and leave again.
const COMING: usize = 20;
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Below this, what is measured of memory is how it is first used.
const LONG_ENOUGH: Duration = Duration::from_secs(1800);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_the_slope_of_the_line_that_fits_best() {
        let rising: Vec<_> = (0..10).map(|x| (f64::from(x), 5.0 + 2.0 * f64::from(x))).collect();
        assert!((slope(&rising) - 2.0).abs() < 1e-9);
        assert_eq!(slope(&[(1.0, 7.0), (2.0, 7.0), (3.0, 7.0)]), 0.0);
        assert_eq!(slope(&[(1.0, 7.0)]), 0.0);
        assert_eq!(slope(&[]), 0.0);
    }
}
