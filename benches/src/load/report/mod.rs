//! What a run of the load tool found: plain data, written as JSON, as tables for a terminal, and as a page.

mod chart;
mod page;
mod terminal;
mod units;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use page::page;
pub use terminal::table;

use units::bytes;

/// All of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The tool's version.
    pub version: String,
    /// When it began, in seconds since 1970.
    pub began_at: u64,
    /// Where it ran.
    pub machine: Machine,
    /// What was done: a scenario's name.
    pub scenario: String,
    /// With which settings: names and values, in the order in which they are shown.
    pub settings: Vec<(String, String)>,
    /// Who was measured: the server, and whatever it was compared with.
    pub series: Vec<Series>,
    /// What was asked for and whether it was so.
    pub checks: Vec<Check>,
    /// Figures of a scenario that has no steps, such as memory for each connection.
    pub figures: Vec<Figure>,
    /// What all that means for a machine such as this one.
    pub plan: Option<Plan>,
    /// What a reader has to know: raised limits, players added, what could not be measured.
    pub notes: Vec<String>,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// Its memory.
    pub memory_bytes: u64,
    /// What it runs on.
    pub kernel: String,
    /// The processor's name.
    pub processor: String,
}

/// One who was measured, at rising rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// "server" or "bare hub".
    pub target: String,
    /// "JSON" or "MessagePack"; empty where there is no choice.
    pub codec: String,
    /// In the order in which they were made.
    pub steps: Vec<Step>,
    /// The highest rate that kept the objective, in deliveries a second.
    pub held: Option<f64>,
}

/// What was measured at one rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Connections.
    pub players: usize,
    /// Rooms that they were in.
    pub rooms: usize,
    /// What was asked for, in deliveries a second: an event that reaches one player.
    pub wanted_per_second: f64,
    /// What came, in deliveries a second.
    pub delivered_per_second: f64,
    /// How long was measured, after the warm-up.
    pub seconds: f64,
    /// Actions sent.
    pub sent: u64,
    /// Deliveries that these should have led to.
    pub expected: u64,
    /// Deliveries that came.
    pub delivered: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Connections that were lost.
    pub disconnected: u64,
    /// From the time at which an action was to be sent to that of a delivery.
    pub latency: Percentiles,
    /// By how much actions were sent later than they were to be: the generator's own fault.
    pub lag: Percentiles,
    /// How much of one core the generator used.
    pub generator_cores: f64,
    /// What came in, in bytes a second over all connections.
    pub bytes_per_second: f64,
    /// What the measured process used, when it could be seen.
    pub usage: Option<Usage>,
    /// What waited in the server, when it says so.
    pub queue: Option<Queue>,
    /// What became of it.
    pub verdict: Verdict,
}

/// The most that was seen waiting in a server's outboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Messages in all of them together.
    pub messages: u64,
    /// Messages in the fullest one.
    pub deepest: u64,
}

/// What a process used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Cores, in its own code.
    pub user_cores: f64,
    /// Cores, in the kernel for it.
    pub kernel_cores: f64,
    /// Memory at the end.
    pub memory_bytes: u64,
}

/// How long things took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Percentiles {
    /// Half of them were as quick.
    pub p50: u64,
    /// 90 of a hundred.
    pub p90: u64,
    /// 99 of a hundred.
    pub p99: u64,
    /// 999 of a thousand.
    pub p999: u64,
    /// All of them.
    pub max: u64,
}

/// Whether a step kept the objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It did.
    Held,
    /// It did not.
    Missed,
    /// Nobody knows: the generator could not keep up.
    GeneratorSaturated,
}

/// Something that was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What.
    pub name: String,
    /// How much of it, with its unit.
    pub wanted: String,
    /// What it was.
    pub found: String,
    /// Whether that is enough.
    pub passed: bool,
}

/// A figure with its unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// What it is of.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: String,
}

/// What a machine such as the measured one holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Actions of each player a second that this is about.
    pub actions_per_player: f64,
    /// Players in each room.
    pub room_players: usize,
    /// Players whom one core serves within the objective.
    pub players_per_core: f64,
    /// Memory of a thousand players.
    pub bytes_per_1000_players: f64,
    /// Network of one player, out of the server, in bytes a second.
    pub bytes_per_player_second: f64,
    /// What runs out first.
    pub limit: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "held",
            Self::Missed => "missed",
            Self::GeneratorSaturated => "the generator could not keep up",
        })
    }
}

impl Plan {
    /// Names and values, to be shown.
    fn rows(&self) -> Vec<(String, String)> {
        let row = |name: &str, value: String| (name.to_owned(), value);
        vec![
            row("a player acts", format!("{:.1} times a second", self.actions_per_player)),
            row("players in a room", self.room_players.to_string()),
            row("players whom one core serves", format!("{:.0}", self.players_per_core)),
            row(
                "the same if each acted once a second",
                format!("{:.0}", self.players_per_core * self.actions_per_player),
            ),
            row("memory of 1000 players, the process included", bytes(self.bytes_per_1000_players)),
            row("network of a player", format!("{} a second", bytes(self.bytes_per_player_second))),
            row("what runs out first", self.limit.clone()),
        ]
    }
}

impl Series {
    /// As it is called beside others.
    fn name(&self) -> String {
        format!("{} {}", self.target, self.codec).trim_end().to_owned()
    }

    /// The step with the highest rate that kept the objective.
    pub fn best(&self) -> Option<&Step> {
        let held = self.steps.iter().filter(|step| step.verdict == Verdict::Held);
        held.max_by(|one, other| one.wanted_per_second.total_cmp(&other.wanted_per_second))
    }
}

impl Step {
    /// Deliveries that never came.
    pub fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.delivered)
    }

    /// Processor time of the measured process for each delivery, in microseconds, which is also the seconds
    /// of a core for a million of them.
    pub fn cpu_micros_per_delivery(&self) -> Option<f64> {
        let usage = self.usage?;
        let cores = usage.user_cores + usage.kernel_cores;
        (self.delivered_per_second > 0.0).then(|| cores * 1e6 / self.delivered_per_second)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A server half as good as the hub, measured at three rates.
    pub(crate) fn report() -> Report {
        let percentiles = |p50: u64| Percentiles {
            p50,
            p90: p50 * 2,
            p99: p50 * 20,
            p999: p50 * 90,
            max: p50 * 200,
        };
        let step = |factor: f64, verdict, cores| Step {
            players: 1000,
            rooms: 100,
            wanted_per_second: 60_000.0 * factor,
            delivered_per_second: 60_000.0 * factor,
            seconds: 5.0,
            sent: 30_000,
            expected: 300_000,
            delivered: 300_000,
            refused: 0,
            disconnected: 0,
            latency: percentiles(80),
            lag: percentiles(1),
            generator_cores: 0.4,
            bytes_per_second: 6e6,
            usage: Some(Usage {
                user_cores: cores,
                kernel_cores: cores * 2.0,
                memory_bytes: 20 << 20,
            }),
            queue: Some(Queue { messages: 40, deepest: 7 }),
            verdict,
        };
        let series = |target: &str, cores, held| Series {
            target: target.to_owned(),
            codec: "JSON".to_owned(),
            steps: vec![
                step(1.0, Verdict::Held, cores),
                step(2.0, Verdict::Held, cores),
                step(4.0, Verdict::Missed, cores),
            ],
            held: Some(held),
        };
        let check = |name: &str, passed| Check {
            name: name.to_owned(),
            wanted: "below 50ms".to_owned(),
            found: "1.2ms".to_owned(),
            passed,
        };
        Report {
            version: "1.0".to_owned(),
            began_at: 1_800_000_000,
            machine: Machine {
                cores: 2,
                memory_bytes: 8 << 30,
                kernel: "Linux 6".to_owned(),
                processor: "a processor".to_owned(),
            },
            scenario: "rooms".to_owned(),
            settings: vec![("players".to_owned(), "1000".to_owned())],
            series: vec![series("bare hub", 0.1, 1_000_000.0), series("server", 0.2, 500_000.0)],
            checks: vec![check("latency p99", true), check("loss", false)],
            figures: vec![Figure {
                name: "joins a second".to_owned(),
                value: 20_000.0,
                unit: "1/s".to_owned(),
            }],
            plan: Some(Plan {
                actions_per_player: 6.0,
                room_players: 10,
                players_per_core: 5000.0,
                bytes_per_1000_players: 2e7,
                bytes_per_player_second: 6000.0,
                limit: "the processor".to_owned(),
            }),
            notes: vec!["limits were raised".to_owned()],
        }
    }

    #[test]
    fn report_goes_through_json() {
        let json = serde_json::to_string(&report()).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report());
    }

    #[test]
    fn best_step_is_the_highest_that_held() {
        let series = &report().series[0];
        assert!((series.best().unwrap().wanted_per_second - 120_000.0).abs() < 1.0);
        assert!((series.steps[0].cpu_micros_per_delivery().unwrap() - 5.0).abs() < 0.01);
    }
}
