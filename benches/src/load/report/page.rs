//! A report as one page that needs nothing else: no script, no file beside it, no network.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use super::chart::{Chart, Line};
use super::units::{bytes, figure, micros, rate};
use super::{Report, Series, Step, Verdict};

/// All of it.
pub fn page(report: &Report) -> String {
    let title = format!("Parlor, {}", report.scenario);
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{0}</title><style>{CSS}</style></head><body>\
         <h1>{0}</h1><p class=\"when\">parlor-bench {1}, {2}</p>",
        escape(&title),
        escape(&report.version),
        httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(report.began_at)),
    );
    let machine = &report.machine;
    let mut settings = report.settings.clone();
    settings.extend([
        ("processor".to_owned(), format!("{} cores, {}", machine.cores, machine.processor)),
        ("memory".to_owned(), bytes(machine.memory_bytes as f64)),
        ("system".to_owned(), machine.kernel.clone()),
    ]);
    out.push_str(&list("", &settings));
    if let Some(plan) = &report.plan {
        out.push_str("<h2>What this means</h2>");
        out.push_str(&list("plan", &plan.rows()));
    }
    out.push_str(&checks(report));
    out.push_str(&charts(report));
    out.push_str(&comparison(report));
    for series in &report.series {
        out.push_str(&steps(series));
    }
    out.push_str(&figures(report));
    if !report.notes.is_empty() {
        out.push_str("<h2>Notes</h2><ul>");
        report.notes.iter().for_each(|note| out.push_str(&format!("<li>{}</li>", escape(note))));
        out.push_str("</ul>");
    }
    out.push_str("</body></html>\n");
    out
}

fn list(class: &str, rows: &[(String, String)]) -> String {
    let mut out = format!("<dl class=\"{class}\">");
    for (name, value) in rows {
        let _ = write!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
    }
    out + "</dl>"
}

fn checks(report: &Report) -> String {
    if report.checks.is_empty() {
        return String::new();
    }
    let rows = report.checks.iter().map(|check| {
        let verdict = if check.passed {
            "<span class=\"good\">kept</span>"
        } else {
            "<span class=\"bad\">missed</span>"
        };
        let [name, wanted, found] =
            [&check.name, &check.wanted, &check.found].map(|text| escape(text));
        vec![name, wanted, found, verdict.to_owned()]
    });
    let head = ["what", "wanted", "found", "verdict"];
    format!(
        "<h2>Objective</h2>{}",
        table("words", "What was asked for, and what was found", &head, rows)
    )
}

fn charts(report: &Report) -> String {
    let with_lines: Vec<&Series> =
        report.series.iter().filter(|series| series.steps.len() > 1).collect();
    if with_lines.is_empty() {
        return String::new();
    }
    let of = |pick: &dyn Fn(&Step) -> Option<f64>, what: &str| -> Vec<Line> {
        let line = |series: &&Series| Line {
            name: format!("{} {what}", series.name()),
            points: series
                .steps
                .iter()
                .filter_map(|step| Some((step.wanted_per_second, pick(step)?)))
                .collect(),
        };
        with_lines.iter().map(line).collect()
    };
    let millis = |micros: u64| Some(micros as f64 / 1e3);
    let together = |lines: [Vec<Line>; 2]| lines.into_iter().flatten().collect();
    let x_name = "deliveries a second asked for";
    let chart = |title, y_name, is_logarithmic, lines| Chart {
        title,
        x_name,
        y_name,
        is_logarithmic,
        lines,
    };
    let charts = [
        chart(
            "Latency",
            "milliseconds",
            true,
            together([
                of(&|step| millis(step.latency.p50), "p50"),
                of(&|step| millis(step.latency.p99), "p99"),
            ]),
        ),
        chart(
            "Latency of the slowest",
            "milliseconds",
            true,
            of(&|step| millis(step.latency.p999), "p99.9"),
        ),
        chart(
            "Throughput",
            "deliveries a second",
            false,
            of(&|step| Some(step.delivered_per_second), ""),
        ),
        chart(
            "Processor",
            "cores",
            false,
            together([
                of(&|step| step.usage.map(|usage| usage.kernel_cores), "kernel"),
                of(&|step| step.usage.map(|usage| usage.user_cores), "own code"),
            ]),
        ),
        chart(
            "Processor time for each delivery",
            "microseconds",
            false,
            of(&Step::cpu_micros_per_delivery, ""),
        ),
        chart(
            "Memory for each connection, the process included",
            "KiB",
            false,
            of(
                &|step| {
                    step.usage.map(|usage| {
                        usage.memory_bytes as f64 / 1024.0 / step.players.max(1) as f64
                    })
                },
                "",
            ),
        ),
        chart(
            "Messages that waited for the slowest client, at most",
            "messages",
            false,
            of(&|step| step.queue.map(|queue| queue.deepest as f64), ""),
        ),
        chart(
            "Network, out of the server",
            "MB a second",
            false,
            of(&|step| Some(step.bytes_per_second / 1e6), ""),
        ),
    ];
    let svgs: String = charts.iter().map(Chart::svg).collect();
    format!("<h2>Charts</h2><div class=\"charts\">{svgs}</div>")
}

/// The server against what the machine allows.
fn comparison(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .series
        .iter()
        .filter(|series| series.target == "server")
        .filter_map(|server| {
            let hub = report
                .series
                .iter()
                .find(|other| other.target != server.target && other.codec == server.codec)?;
            let cpu = |series: &Series| series.steps.first()?.cpu_micros_per_delivery();
            let ratio = |one: Option<f64>, other: Option<f64>| {
                one.zip(other)
                    .filter(|(_, other)| *other > 0.0)
                    .map_or_else(|| "–".to_owned(), |(one, other)| format!("{:.2} ×", one / other))
            };
            Some(vec![
                escape(&server.codec),
                ratio(cpu(server), cpu(hub)),
                ratio(server.held, hub.held),
                escape(&hub.target),
            ])
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        "codec",
        "processor time for each delivery, at the first rate",
        "highest rate held",
        "against",
    ];
    format!(
        "<h2>Against what the machine allows</h2>{}",
        table("", "Ratios", &head, rows.into_iter())
    )
}

fn steps(series: &Series) -> String {
    let head = [
        "players",
        "wanted/s",
        "came/s",
        "lost",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "cpu/delivery",
        "memory",
        "sent late, p99",
        "verdict",
    ];
    let rows = series.steps.iter().map(|step| {
        let cpu = step
            .cpu_micros_per_delivery()
            .map_or_else(|| "–".to_owned(), |cpu| format!("{cpu:.2} µs"));
        let memory =
            step.usage.map_or_else(|| "–".to_owned(), |usage| bytes(usage.memory_bytes as f64));
        let class = if step.verdict == Verdict::Held { "good" } else { "bad" };
        vec![
            step.players.to_string(),
            rate(step.wanted_per_second),
            rate(step.delivered_per_second),
            step.lost().to_string(),
            micros(step.latency.p50),
            micros(step.latency.p90),
            micros(step.latency.p99),
            micros(step.latency.p999),
            micros(step.latency.max),
            cpu,
            memory,
            micros(step.lag.p99),
            format!("<span class=\"{class}\">{}</span>", step.verdict),
        ]
    });
    let held = series.held.map_or_else(
        || "no rate held".to_owned(),
        |held| format!("the highest rate that held: {} deliveries a second", rate(held)),
    );
    format!("<h2>{}</h2>{}", escape(&series.name()), table("", &held, &head, rows))
}

fn figures(report: &Report) -> String {
    if report.figures.is_empty() {
        return String::new();
    }
    let rows = report.figures.iter().map(|it| vec![escape(&it.name), escape(&figure(it))]);
    format!("<h2>Figures</h2>{}", table("", "What was measured", &["what", "how much"], rows))
}

/// Cells are HTML already.
fn table(
    class: &str,
    caption: &str,
    head: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table class=\"{class}\"><caption>{0}</caption><thead><tr>",
        escape(caption)
    );
    head.iter().for_each(|cell| out.push_str(&format!("<th scope=\"col\">{}</th>", escape(cell))));
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        let cells: String = row.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        let _ = write!(out, "<tr>{cells}</tr>");
    }
    out + "</tbody></table></div>"
}

/// Text that means only itself.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

const CSS: &str = include_str!("page.css");

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn page_needs_nothing_else_and_shows_every_part() {
        let page = page(&report());
        for outside in ["http://", "https://", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        for part in [
            "What this means",
            "Charts",
            "<polyline",
            "waited for the slowest client",
            "Objective",
            "missed",
            "kept",
            "2.00 ×",
            "Notes",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    }

    #[test]
    fn text_from_outside_means_only_itself() {
        let mut report = report();
        let hostile = "<script>alert('\"&')</script>".to_owned();
        report.scenario.clone_from(&hostile);
        report.version.clone_from(&hostile);
        report.machine.processor.clone_from(&hostile);
        report.machine.kernel.clone_from(&hostile);
        report.settings = vec![(hostile.clone(), hostile.clone())];
        report.notes = vec![hostile.clone()];
        for series in &mut report.series {
            series.codec.clone_from(&hostile);
        }
        for check in &mut report.checks {
            (check.name, check.wanted, check.found) =
                (hostile.clone(), hostile.clone(), hostile.clone());
        }
        for figure in &mut report.figures {
            (figure.name, figure.unit) = (hostile.clone(), hostile.clone());
        }
        assert!(!page(&report).contains("<script"));
    }

    #[test]
    fn nothing_measured_makes_no_nonsense() {
        let mut report = report();
        for step in report.series.iter_mut().flat_map(|series| &mut series.steps) {
            (step.wanted_per_second, step.delivered_per_second, step.players) = (0.0, 0.0, 0);
            (step.latency, step.usage, step.queue) = (Default::default(), None, None);
        }
        let page = page(&report);
        assert!(!page.contains("NaN") && !page.contains("inf<"), "{page}");
    }
}
