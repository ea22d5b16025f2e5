//! What the system knows of this process, under the names that Prometheus' own clients use.

use std::fmt;

use procfs::WithCurrentSystemInfo as _;
use procfs::process::{LimitValue, Process};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

/// Read when somebody asks. Says nothing where there is no `/proc`.
#[derive(Debug)]
pub(crate) struct ProcessReadings;

impl Collector for ProcessReadings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Ok(process) = Process::myself() else { return Ok(()) };
        let Ok(stat) = process.stat() else { return Ok(()) };

        let cpu = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        let help = "Processor time of the process, user and kernel.";
        let unit = Some(&Unit::Seconds);
        let metric = encoder.encode_descriptor("process_cpu", help, unit, MetricType::Counter)?;
        ConstCounter::new(cpu).encode(metric)?;

        let mut gauge = |name, help, unit: Option<&Unit>, value: u64| {
            let metric = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(metric)
        };
        let bytes = Some(&Unit::Bytes);
        let resident = stat.rss_bytes().get();
        gauge("process_resident_memory", "Memory of the process in RAM.", bytes, resident)?;
        gauge("process_virtual_memory", "Addresses of the process.", bytes, stat.vsize)?;
        if let Ok(open) = process.fd_count() {
            gauge("process_open_fds", "File descriptors that are open.", None, open as u64)?;
        }
        if let Ok(limits) = process.limits()
            && let LimitValue::Value(max) = limits.max_open_files.soft_limit
        {
            gauge("process_max_fds", "File descriptors that may be open.", None, max)?;
        }
        if let Ok(booted) = procfs::boot_time_secs() {
            let started = booted + stat.starttime / procfs::ticks_per_second();
            let help = "When the process started, since 1970.";
            gauge("process_start_time", help, unit, started)?;
        }
        Ok(())
    }
}
