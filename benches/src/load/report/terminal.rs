//! A report as text, for a terminal of a hundred columns.

use std::fmt::Write as _;

use super::units::{bytes, figure, micros, rate};
use super::{Check, Report, Series, Step};

/// All of it.
pub fn table(report: &Report) -> String {
    let mut out = String::new();
    for series in &report.series {
        out.push_str(&heading(&format!("{} {}", series.target, series.codec)));
        out.push_str(&steps(series));
        let held = series.held.map_or_else(
            || "no rate held".to_owned(),
            |held| format!("the highest rate that held: {} deliveries a second", rate(held)),
        );
        let _ = writeln!(out, "{held}\n");
    }
    if !report.figures.is_empty() {
        out.push_str(&heading("figures"));
        let rows = report.figures.iter().map(|it| vec![it.name.clone(), figure(it)]);
        out.push_str(&aligned(rows.collect(), 1));
        out.push('\n');
    }
    if let Some(plan) = &report.plan {
        out.push_str(&heading("what this means"));
        let rows = plan.rows().into_iter().map(|(name, value)| vec![name, value]);
        out.push_str(&aligned(rows.collect(), 1));
        out.push('\n');
    }
    if !report.checks.is_empty() {
        out.push_str(&heading("objective"));
        let rows = report.checks.iter().map(|Check { name, wanted, found, passed }| {
            let verdict = if *passed { "kept" } else { "MISSED" };
            vec![verdict.to_owned(), name.clone(), wanted.clone(), found.clone()]
        });
        out.push_str(&aligned(rows.collect(), 4));
        out.push('\n');
    }
    for note in &report.notes {
        let _ = writeln!(out, "note: {note}");
    }
    out
}

fn heading(text: &str) -> String {
    format!("{text}\n{}\n", "-".repeat(text.chars().count()))
}

fn steps(series: &Series) -> String {
    let head = [
        "players",
        "wanted/s",
        "came/s",
        "lost",
        "p50",
        "p99",
        "p99.9",
        "max",
        "cpu/delivery",
        "memory",
        "",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(series.steps.iter().map(step));
    aligned(rows, 0)
}

fn step(step: &Step) -> Vec<String> {
    let cpu =
        step.cpu_micros_per_delivery().map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.2} µs"));
    let memory =
        step.usage.map_or_else(|| "-".to_owned(), |usage| bytes(usage.memory_bytes as f64));
    vec![
        step.players.to_string(),
        rate(step.wanted_per_second),
        rate(step.delivered_per_second),
        step.lost().to_string(),
        micros(step.latency.p50),
        micros(step.latency.p99),
        micros(step.latency.p999),
        micros(step.latency.max),
        cpu,
        memory,
        step.verdict.to_string(),
    ]
}

/// Columns as wide as what stands in them: the first `left` to the left, the others to the right, but the last.
fn aligned(rows: Vec<Vec<String>>, left: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let gap = " ".repeat(widths[column] - cell.chars().count());
            let is_left = column < left || column + 1 == columns;
            let (before, after) = if is_left { ("", &*gap) } else { (&*gap, "") };
            let _ = write!(line, "{before}{cell}{after}  ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn columns_line_up_and_everything_is_said() {
        let text = table(&report());
        let rows: Vec<&str> = text.lines().filter(|line| line.contains(" ms ")).collect();
        assert!(rows.len() >= 2, "{text}");
        let ends: Vec<usize> = rows.iter().filter_map(|row| row.find(" ms ")).collect();
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
        for word in ["server", "bare hub", "MISSED", "kept", "note: ", "what this means"] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }

    #[test]
    fn report_without_anything_is_empty() {
        let mut report = report();
        (report.series, report.checks, report.figures) = (Vec::new(), Vec::new(), Vec::new());
        (report.plan, report.notes) = (None, Vec::new());
        assert_eq!(table(&report), "");
    }
}
