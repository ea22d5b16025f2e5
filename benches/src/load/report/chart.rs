//! Line charts as SVG, drawn when the page is made: a page without scripts.

use std::fmt::Write as _;

use super::page::escape;

/// A chart of lines over one axis.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) x_name: &'a str,
    pub(super) y_name: &'a str,
    /// Whether `y` grows by factors.
    pub(super) is_logarithmic: bool,
    pub(super) lines: Vec<Line>,
}

/// Points by rising `x`.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

impl Chart<'_> {
    /// As SVG, or nothing when there is nothing to draw.
    pub(super) fn svg(&self) -> String {
        let lines: Vec<Vec<(f64, f64)>> =
            self.lines.iter().map(|line| self.drawable(line)).collect();
        let all = || lines.iter().flatten().copied();
        if all().next().is_none() {
            return String::new();
        }
        let x_max = all().map(|(x, _)| x).fold(0.0, f64::max).max(1e-9);
        let (low, high) = self.range(all().map(|(_, y)| y));
        let x_at = |x: f64| LEFT + x / x_max * (WIDTH - LEFT - RIGHT);
        let y_at = |y: f64| {
            let part = if self.is_logarithmic {
                (y / low).ln() / (high / low).ln()
            } else {
                (y - low) / (high - low)
            };
            HEIGHT - BOTTOM - part.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
        };

        let mut svg = format!(
            "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}: {} over {}\">",
            escape(self.title),
            escape(self.title),
            escape(self.y_name),
            escape(self.x_name),
        );
        for value in self.marks(low, high) {
            let y = y_at(value);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                short(value),
            );
        }
        for part in 0..=4 {
            let value = x_max * f64::from(part) / 4.0;
            let _ = write!(
                svg,
                "<text class=\"x\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x_at(value),
                HEIGHT - BOTTOM + 16.0,
                short(value),
            );
        }
        let _ = write!(
            svg,
            "<text class=\"x\" x=\"{:.1}\" y=\"{:.1}\">{}</text><text class=\"name\" x=\"{LEFT}\" y=\"14\">{}</text>",
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 6.0,
            escape(self.x_name),
            escape(self.y_name),
        );
        for (number, (line, points)) in self.lines.iter().zip(&lines).enumerate() {
            let colour = number % COLOURS;
            let path: Vec<String> =
                points.iter().map(|(x, y)| format!("{:.1},{:.1}", x_at(*x), y_at(*y))).collect();
            let _ =
                write!(svg, "<polyline class=\"line c{colour}\" points=\"{}\"/>", path.join(" "));
            for (x, y) in points {
                let _ = write!(
                    svg,
                    "<circle class=\"dot c{colour}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}: {} at {}</title></circle>",
                    x_at(*x),
                    y_at(*y),
                    escape(&line.name),
                    short(*y),
                    short(*x),
                );
            }
        }
        svg.push_str("</svg><ul class=\"legend\">");
        for (number, line) in self.lines.iter().enumerate() {
            let _ = write!(
                svg,
                "<li><svg viewBox=\"0 0 24 8\" aria-hidden=\"true\"><polyline class=\"line c{}\" points=\"0,4 24,4\"/></svg>{}</li>",
                number % COLOURS,
                escape(&line.name),
            );
        }
        svg.push_str("</ul></figure>");
        svg
    }

    fn drawable(&self, line: &Line) -> Vec<(f64, f64)> {
        let is_drawable = |(x, y): &(f64, f64)| {
            x.is_finite() && y.is_finite() && *x >= 0.0 && (!self.is_logarithmic || *y > 0.0)
        };
        let mut points: Vec<_> = line.points.iter().copied().filter(is_drawable).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        points
    }

    fn range(&self, values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
        let high = values.clone().fold(0.0, f64::max).max(1e-9);
        if !self.is_logarithmic {
            return (0.0, high * 1.05);
        }
        let low = values.fold(f64::INFINITY, f64::min);
        (
            10_f64.powf(low.log10().floor()),
            10_f64.powf(high.log10().ceil().max(low.log10().floor() + 1.0)),
        )
    }

    fn marks(&self, low: f64, high: f64) -> Vec<f64> {
        if self.is_logarithmic {
            let decades = (high / low).log10().round().clamp(1.0, 12.0) as i32;
            return (0..=decades).map(|decade| low * 10_f64.powi(decade)).collect();
        }
        (0..=4).map(|part| high * f64::from(part) / 4.0).collect()
    }
}

/// A figure that fits beside an axis.
fn short(value: f64) -> String {
    let (scaled, unit) = match value {
        1e6.. => (value / 1e6, "M"),
        1e3.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = if scaled >= 100.0 || scaled.fract() == 0.0 {
        0
    } else if scaled >= 1.0 {
        1
    } else {
        2
    };
    format!("{scaled:.digits$}{unit}")
}

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 40.0;
const COLOURS: usize = 6;
