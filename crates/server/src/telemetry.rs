//! Spans for a collector of OpenTelemetry, by OTLP over HTTP.
//!
//! They are sent in batches by a thread of their own, which never holds anything up: when the collector is slow or away
//! and too many wait, the newest are let go.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracer, SdkTracerProvider},
};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

/// The way to a collector. What waits is sent when it is [shut down](Self::shut_down).
#[derive(Debug)]
pub(crate) struct Telemetry(SdkTracerProvider);

impl Telemetry {
    /// Sends spans to `endpoint`, such as `http://127.0.0.1:4318/v1/traces`.
    pub(crate) fn to(endpoint: &str) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpJson)
            .with_endpoint(endpoint)
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder().with_service_name("parlor").build())
            .with_batch_exporter(exporter)
            .build();
        Ok(Self(provider))
    }

    /// What hands over the spans of the log.
    pub(crate) fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("parlor"))
    }

    /// Sends what waits, for a few seconds at most.
    pub(crate) fn shut_down(self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "not all spans reached the collector");
        }
    }
}
