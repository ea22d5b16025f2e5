//! Figures as people read them.

use super::Figure;

/// A time in microseconds.
pub(super) fn micros(micros: u64) -> String {
    match micros {
        0..1000 => format!("{micros} µs"),
        1000..1_000_000 => format!("{:.2} ms", micros as f64 / 1e3),
        1_000_000.. => format!("{:.2} s", micros as f64 / 1e6),
    }
}

/// So many a second.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        0.0..1e3 => format!("{per_second:.0}"),
        1e3..1e6 => format!("{:.1} k", per_second / 1e3),
        _ => format!("{:.2} M", per_second / 1e6),
    }
}

/// So many bytes.
pub(super) fn bytes(bytes: f64) -> String {
    const KIB: f64 = 1024.0;
    const MIB: f64 = KIB * 1024.0;
    if bytes < KIB {
        format!("{bytes:.0} B")
    } else if bytes < MIB {
        format!("{:.1} KiB", bytes / KIB)
    } else if bytes < MIB * 1024.0 {
        format!("{:.1} MiB", bytes / MIB)
    } else {
        format!("{:.1} GiB", bytes / MIB / 1024.0)
    }
}

/// A figure with its unit.
pub(super) fn figure(figure: &Figure) -> String {
    let Figure { value, unit, .. } = figure;
    let digits = if value.fract() == 0.0 || *value >= 1000.0 { 0 } else { 3 };
    format!("{value:.digits$} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_unit_that_fits() {
        assert_eq!([999, 1000, 2_500_000].map(micros), ["999 µs", "1.00 ms", "2.50 s"]);
        assert_eq!([0.0, 60_000.0, 1.2e6].map(rate), ["0", "60.0 k", "1.20 M"]);
        assert_eq!([12.0, 2048.0, 3.5 * 1048576.0].map(bytes), ["12 B", "2.0 KiB", "3.5 MiB"]);
        let named = |value, unit: &str| {
            figure(&Figure { name: String::new(), value, unit: unit.to_owned() })
        };
        assert_eq!([named(5000.0, ""), named(0.36, "s")], ["5000", "0.360 s"]);
    }
}
