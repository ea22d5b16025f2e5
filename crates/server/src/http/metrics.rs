//! What is counted, as text for Prometheus.
//!
//! In the format that the client asks for: OpenMetrics 1.0, as Prometheus does, or else the older one that
//! everything reads, in which a counter is named as its samples are.

use std::collections::BTreeSet;

use bytes::Bytes;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, VARY},
};
use parlor_protocol::ErrorCode;
use prometheus_client::{encoding::text::encode, registry::Registry};

use super::{Answer, answer};

/// Everything in `registry`.
pub(super) fn metrics(registry: &Registry, asked: &HeaderMap) -> Answer {
    let mut text = String::new();
    if encode(&mut text, registry).is_err() {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return answer::error(status, ErrorCode::INTERNAL, "not readable now");
    }
    let accepts = asked.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let wants_open_metrics =
        accepts.into_iter().any(|value| value.contains("application/openmetrics-text"));
    let (text, content_type) =
        if wants_open_metrics { (text, OPEN_METRICS) } else { (plain(&text), PLAIN) };
    let mut answer = Response::new(Bytes::from(text).into());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    answer
}

/// OpenMetrics in the text format 0.0.4.
fn plain(open_metrics: &str) -> String {
    let type_of = |line: &str| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        (kind == "counter").then(|| name.to_owned())
    };
    let counters: BTreeSet<String> = open_metrics.lines().filter_map(type_of).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("EOF" | "UNIT"), ..) => continue,
            (Some("#"), Some(what), Some(name), Some(rest)) if counters.contains(name) => {
                text.push_str(&format!("# {what} {name}_total {rest}"));
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_as_their_samples_and_nothing_else_changes() {
        let open_metrics = "# HELP a_seconds How long it took.\n# TYPE a_seconds gauge\n\
            # UNIT a_seconds seconds\na_seconds 1\n# HELP b How often.\n# TYPE b counter\n\
            b_total{c=\"d e\"} 2\n# EOF\n";
        let expected = "# HELP a_seconds How long it took.\n# TYPE a_seconds gauge\na_seconds 1\n\
            # HELP b_total How often.\n# TYPE b_total counter\nb_total{c=\"d e\"} 2\n";
        assert_eq!(plain(open_metrics), expected);
    }
}
