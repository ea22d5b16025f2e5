//! What is asked of a server: `p99<50ms,loss=0`.

use std::str::FromStr;
use std::time::Duration;

use super::report::{Check, Percentiles, Step};

/// All of it must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// Latencies, each below a bound.
    latency: Vec<(Percentile, Duration)>,
    /// The most that may be lost of what was to be delivered, as a part of it.
    loss: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Percentile {
    P50,
    P90,
    P99,
    P999,
    Max,
}

/// Why an objective is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is neither like p99<50ms (p50, p90, p99, p99.9, max; us, ms or s) nor like loss=0 or loss<0.1%"
)]
pub struct ParseObjectiveError(String);

impl Objective {
    /// The longest latency that it allows any part of the deliveries.
    pub fn latency_max(&self) -> Option<Duration> {
        self.latency.iter().map(|(_, bound)| *bound).max()
    }

    /// Each part of it, against what was found.
    pub fn check(&self, step: &Step) -> Vec<Check> {
        let latency = self.latency.iter().map(|(percentile, bound)| {
            let found = Duration::from_micros(percentile.of(&step.latency));
            Check {
                name: format!("latency {}", percentile.name()),
                wanted: format!("below {bound:?}"),
                found: if step.delivered == 0 {
                    "nothing came".into()
                } else {
                    format!("{found:?}")
                },
                passed: step.delivered > 0 && found < *bound,
            }
        });
        let lost = step.lost() as f64 / step.expected.max(1) as f64;
        let loss = Check {
            name: "loss".to_owned(),
            wanted: format!("at most {} %", self.loss * 100.0),
            found: format!("{} of {}", step.lost(), step.expected),
            passed: lost <= self.loss && step.disconnected == 0,
        };
        latency.chain([loss]).collect()
    }
}

impl Percentile {
    fn of(self, percentiles: &Percentiles) -> u64 {
        match self {
            Self::P50 => percentiles.p50,
            Self::P90 => percentiles.p90,
            Self::P99 => percentiles.p99,
            Self::P999 => percentiles.p999,
            Self::Max => percentiles.max,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::Max => "max",
        }
    }
}

impl FromStr for Objective {
    type Err = ParseObjectiveError;

    fn from_str(text: &str) -> Result<Self, ParseObjectiveError> {
        let mut objective = Self { latency: Vec::new(), loss: 0.0 };
        for part in text.split(',').map(str::trim) {
            let wrong = || ParseObjectiveError(part.to_owned());
            if let Some(loss) = part.strip_prefix("loss") {
                objective.loss = parse_loss(loss).ok_or_else(wrong)?;
            } else {
                objective.latency.push(parse_latency(part).ok_or_else(wrong)?);
            }
        }
        Ok(objective)
    }
}

fn parse_loss(text: &str) -> Option<f64> {
    let figure = text.trim_start().strip_prefix(['=', '<'])?.trim();
    let (figure, unit) = match figure.strip_suffix('%') {
        Some(percent) => (percent.trim(), 0.01),
        None => (figure, 1.0),
    };
    let loss = figure.parse::<f64>().ok()? * unit;
    (0.0..=1.0).contains(&loss).then_some(loss)
}

fn parse_latency(text: &str) -> Option<(Percentile, Duration)> {
    let (name, bound) = text.split_once('<')?;
    let all =
        [Percentile::P50, Percentile::P90, Percentile::P99, Percentile::P999, Percentile::Max];
    let percentile = all.into_iter().find(|percentile| percentile.name() == name.trim())?;
    let bound = bound.trim();
    let end = bound.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (figure, unit) = bound.split_at(end);
    let unit = match unit.trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return None,
    };
    let bound = Duration::try_from_secs_f64(figure.parse::<f64>().ok()? * unit).ok()?;
    Some((percentile, bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Objective, ParseObjectiveError> {
        text.parse()
    }

    #[test]
    fn objective_is_read_with_its_units() {
        let objective = read("p99<50ms, p99.9 < 0.2s,loss<0.1%").unwrap();
        assert_eq!(
            objective.latency,
            [
                (Percentile::P99, Duration::from_millis(50)),
                (Percentile::P999, Duration::from_millis(200))
            ]
        );
        assert!((objective.loss - 0.001).abs() < 1e-12);
        assert_eq!(objective.latency_max(), Some(Duration::from_millis(200)));
    }

    #[test]
    fn what_is_no_objective_is_refused_and_named() {
        for text in ["", "p98<5ms", "p99<5", "p99=5ms", "loss", "loss=2", "p99<5ms,x", "p99<-1ms"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("p99<5ms,x<1ms"), Err(ParseObjectiveError("x<1ms".to_owned())));
    }
}
