//! The server's own figures, read as whoever scrapes them does: so the page shows what `/metrics` says.

use std::collections::BTreeMap;

use prometheus_client::{encoding::text::encode, registry::Registry};
use serde::Serialize;

/// Every sample of one moment.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Sample>);

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// How often a request of some type was answered in some way.
#[derive(Debug, Serialize)]
pub(super) struct Requests {
    r#type: String,
    outcome: String,
    count: f64,
}

impl Figures {
    pub(crate) fn read(registry: &Registry) -> Self {
        let mut text = String::new();
        match encode(&mut text, registry) {
            Ok(()) => Self(text.lines().filter_map(sample).collect()),
            Err(_) => Self::default(),
        }
    }

    pub(super) fn value(&self, name: &str) -> Option<f64> {
        self.of(name).next().map(|sample| sample.value)
    }

    pub(super) fn sum(&self, name: &str) -> f64 {
        self.of(name).map(|sample| sample.value).sum()
    }

    pub(super) fn sum_where(&self, name: &str, label: &str, fits: impl Fn(&str) -> bool) -> f64 {
        let fits = |sample: &&Sample| sample.labels.get(label).is_some_and(|value| fits(value));
        self.of(name).filter(fits).map(|sample| sample.value).sum()
    }

    pub(super) fn by_label(&self, name: &str, label: &str) -> BTreeMap<&str, f64> {
        self.of(name)
            .filter_map(|sample| Some((sample.labels.get(label)?.as_str(), sample.value)))
            .collect()
    }

    pub(super) fn requests(&self) -> Vec<Requests> {
        self.of("parlor_requests_total")
            .filter(|sample| sample.value > 0.0)
            .filter_map(|sample| {
                let label = |name: &str| sample.labels.get(name).cloned();
                let (r#type, outcome) = (label("type")?, label("outcome")?);
                let outcome = if outcome == "OK" { "ok".to_owned() } else { outcome };
                Some(Requests { r#type, outcome, count: sample.value })
            })
            .collect()
    }

    /// A histogram's buckets: how many observations were at most so large.
    pub(super) fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        self.of(&format!("{name}_bucket"))
            .filter_map(|sample| {
                let bound = match sample.labels.get("le")?.as_str() {
                    "+Inf" => f64::INFINITY,
                    bound => bound.parse().ok()?,
                };
                Some((bound, sample.value))
            })
            .collect()
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }
}

/// A line such as `name{label="value",other="value"} 1`. None of our labels' values has quotes or commas in it.
fn sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (series, ""),
    };
    let pair = |pair: &str| {
        let (label, value) = pair.split_once('=')?;
        Some((label.to_owned(), value.trim_matches('"').to_owned()))
    };
    Some(Sample {
        name: name.to_owned(),
        labels: labels.split(',').filter_map(pair).collect(),
        value: value.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let text = "# TYPE a counter\na_total{x=\"1\",y=\"b c\"} 2\na_total{x=\"2\",y=\"d\"} 3\n\
            b 0.5\nc_bucket{le=\"0.1\"} 1\nc_bucket{le=\"+Inf\"} 4\n# EOF";
        let figures = Figures(text.lines().filter_map(sample).collect());
        assert_eq!(figures.sum("a_total"), 5.0);
        assert_eq!(figures.sum_where("a_total", "x", |x| x == "2"), 3.0);
        assert_eq!(figures.by_label("a_total", "y"), BTreeMap::from([("b c", 2.0), ("d", 3.0)]));
        assert_eq!((figures.value("b"), figures.value("z")), (Some(0.5), None));
        assert_eq!(figures.buckets("c"), [(0.1, 1.0), (f64::INFINITY, 4.0)]);
    }
}
