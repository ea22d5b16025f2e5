//! The load tool as its users run it, on small crowds.

use std::path::Path;
use std::process::{Command, Output};

use parlor_bench::load::report::{Report, Verdict};
use parlor_games::Farkle;
use parlor_server::{Server, ServerConfig};

/// Runs it with these arguments and reads its report.
fn capacity(name: &str, arguments: &[&str]) -> (Output, Report) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"));
    let output = Command::new(env!("CARGO_BIN_EXE_parlor-bench"))
        .arg("capacity")
        .args(["--warm-up", "0.2", "--json"])
        .arg(&file)
        .args(arguments)
        .args(if arguments.contains(&"--seconds") { &[][..] } else { &["--seconds", "0.5"] })
        .output()
        .expect("it runs");
    let report = std::fs::read(&file).unwrap_or_else(|error| {
        panic!("no report: {error}; {}", String::from_utf8_lossy(&output.stderr))
    });
    (output, serde_json::from_slice(&report).expect("it is a report"))
}

/// An objective that no machine misses.
const EASY: &str = "p99<10s,loss=0";

#[test]
fn every_delivery_is_counted_for_server_and_hub_in_both_codecs() {
    let arguments = ["--players", "20", "--rate", "20", "--hub", "--codec", "both", "--slo", EASY];
    let (output, report) = capacity("rooms", &arguments);
    assert!(output.status.success(), "{output:?}");
    let targets: Vec<_> =
        report.series.iter().map(|series| (&*series.target, &*series.codec)).collect();
    let both = [("bare hub", "JSON"), ("server", "JSON")];
    assert_eq!(targets[..2], both);
    assert_eq!(targets[2..], [("bare hub", "MessagePack"), ("server", "MessagePack")]);
    for series in &report.series {
        let [step] = &*series.steps else { panic!("one rate, one step: {series:?}") };
        assert_eq!((step.players, step.rooms, step.sent), (20, 2, 200));
        assert_eq!((step.expected, step.delivered, step.refused), (2000, 2000, 0));
        assert_eq!(step.verdict, Verdict::Held);
        assert!(step.latency.max > 0 && step.usage.is_some());
        assert_eq!(step.queue.is_some(), series.target == "server", "a hub says nothing of itself");
    }
}

#[test]
fn one_sender_is_heard_by_all_of_a_big_room() {
    let arguments = ["--scenario", "big-room", "--players", "50", "--rate", "10", "--slo", EASY];
    let (output, report) = capacity("big-room", &arguments);
    assert!(output.status.success(), "{output:?}");
    let step = &report.series[0].steps[0];
    assert_eq!((step.rooms, step.sent, step.delivered), (1, 5, 250));
}

#[test]
fn missed_objective_is_said_by_the_exit_code_and_in_the_report() {
    let arguments = ["--players", "20", "--rate", "20", "--slo", "p50<1us,loss=0"];
    let (output, report) = capacity("missed", &arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(report.checks.iter().any(|check| !check.passed));
    assert_eq!(report.series[0].held, None);
}

#[test]
fn crowds_that_come_rest_and_come_back_are_measured() {
    let figures = |scenario: &str| {
        let arguments = ["--scenario", scenario, "--players", "40", "--slo", EASY];
        let (output, report) = capacity(scenario, &arguments);
        assert!(output.status.success(), "{output:?}");
        report.figures
    };
    let figure = |scenario: &str, name: &str| {
        let figures = figures(scenario);
        let found = figures.iter().find(|figure| figure.name.contains(name));
        found.unwrap_or_else(|| panic!("{name}: {figures:?}")).value
    };
    assert!(figure("idle", "memory for each connection") > 0.0);
    assert!(figure("join-storm", "rooms: joins a second") > 0.0);
    assert!((figure("reconnect-storm", "by replay") - 40.0).abs() < f64::EPSILON);
}

#[test]
fn real_games_are_played_over_sockets_and_all_together() {
    let arguments = ["--scenario", "game", "--game", "arena", "--players", "8", "--seconds", "3"];
    let (output, report) = capacity("game", &arguments);
    assert!(output.status.success(), "{output:?}\n{report:?}");
    let (output, report) = capacity(
        "mixed",
        &["--scenario", "mixed", "--players", "20", "--seconds", "3", "--slo", EASY],
    );
    assert!(output.status.success(), "{output:?}\n{report:?}");
    assert_eq!(report.checks.len(), 3 + 4, "latency, loss, refusals and each game");
}

/// A server with other games and with its limits as they are.
#[test]
fn server_elsewhere_is_spoken_to_by_chat_within_its_limits() {
    let runtime = parlor_server::runtime().expect("a runtime");
    let mut config = ServerConfig::default();
    config.listen = ([127, 0, 0, 1], 0).into();
    let running = runtime.block_on(async { Server::new(config).game(Farkle).start() });
    let running = running.expect("it listens");
    let url = format!("ws://{}", running.address());

    let arguments = ["--url", &url, "--players", "12", "--rate", "10", "--slo", EASY];
    let (output, report) = capacity("elsewhere", &arguments);
    assert!(output.status.success(), "{output:?}\n{report:?}");
    let step = &report.series[0].steps[0];
    assert_eq!((step.rooms, step.sent, step.delivered, step.refused), (2, 60, 360, 0));
    assert!(step.usage.is_none(), "its process cannot be seen");
    assert!(step.queue.is_some(), "its metrics can");
    assert!(report.notes.iter().any(|note| note.contains("by chat in rooms of farkle")));
    runtime.block_on(running.stop());
}

#[test]
fn what_cannot_be_measured_is_said_in_one_line() {
    for (arguments, complaint) in [
        (&["--url", "http://127.0.0.1:1"][..], "expected a ws:// address"),
        (&["--url", "ws://127.0.0.1:1"], "refused"),
        (&["--room-players", "1"], "2 to 1000 players"),
        (&["--scenario", "idle", "--url", "ws://127.0.0.1:1"], "refused"),
        (&["--slo", "p98<1ms"], "neither like p99<50ms"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_parlor-bench"))
            .arg("capacity")
            .args(arguments)
            .output()
            .expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(complaint), "{arguments:?}: {told}");
    }
}
