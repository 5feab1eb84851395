//! The plot: for each workload a bar for each system, its speed as a multiple of a raw file's, on a logarithmic axis.

use std::fmt::Write;

use super::medium::Medium;
use super::report::short;
use super::results::{Results, Spread};
use super::workload::{WORKLOADS, Workload};

const BASE: &str = "raw";
const LABELS: f64 = 250.0;
const BARS: f64 = 380.0;
const GAP: f64 = 50.0;
const BAR: f64 = 11.0;
/// The axis goes no further, so that one extreme does not press all the others together.
const LEAST: f64 = 0.01;
const MOST: f64 = 1000.0;
const TOP: f64 = 96.0;
const COLOURS: [&str; 6] = ["#0b5fa5", "#3fa7e0", "#7d3fb2", "#c8102e", "#e69f00", "#7a7a7a"];

/// A plot of the results; `None` if no raw file was measured.
pub(crate) fn svg(results: &Results) -> Option<String> {
    let systems: Vec<_> = results.systems().into_iter().filter(|system| *system != BASE).collect();
    let media = results.media();
    let is_drawn = |workload: &&Workload| {
        let drawn = |medium: &Medium| systems.iter().any(|s| results.ratio(*medium, workload.name, s, BASE).is_some());
        media.iter().any(drawn)
    };
    let workloads: Vec<_> = WORKLOADS.iter().filter(is_drawn).collect();
    if workloads.is_empty() {
        return None;
    }
    let axis = Axis::over(results, &media, &systems);
    let group = BAR * systems.len() as f64 + 12.0;
    let bottom = TOP + group * workloads.len() as f64;
    let width = LABELS + media.len() as f64 * (BARS + GAP) + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n",
        height = bottom + 34.0,
    );
    let mut draw = |element: String| {
        svg += &element;
        svg.push('\n');
    };
    draw(text(14.0, 26.0, "start", "16", "Speed of a virtual disk, as a multiple of a raw file's"));
    for (index, system) in systems.iter().enumerate() {
        let x = 14.0 + 110.0 * index as f64;
        draw(bar(x, 42.0, 14.0, 12.0, COLOURS[index % COLOURS.len()]));
        draw(text(x + 20.0, 52.5, "start", "12", system));
    }
    draw(text(width - 14.0, 52.5, "end", "11", "logarithmic; line: least to most of the rounds; right is faster"));
    for (row, workload) in workloads.iter().enumerate() {
        let y = TOP + group * row as f64;
        if row % 2 == 0 {
            draw(bar(0.0, y, width, group, "#f4f6f8"));
        }
        draw(text(LABELS - 6.0, y + group / 2.0 + 4.0, "end", "12", workload.what));
    }
    for (panel, medium) in media.iter().enumerate() {
        let left = LABELS + panel as f64 * (BARS + GAP);
        draw(text(left + BARS / 2.0, TOP - 22.0, "middle", "14", &medium.to_string()));
        for tick in axis.ticks() {
            let x = left + axis.place(tick);
            let (colour, stroke) = if tick == 1.0 { ("#222", 1.5) } else { ("#cfd4d9", 1.0) };
            draw(line((x, TOP - 4.0), (x, bottom), colour, stroke));
            draw(text(x, TOP - 8.0, "middle", "10", &axis_label(tick)));
            draw(text(x, bottom + 14.0, "middle", "10", &axis_label(tick)));
        }
        for (row, workload) in workloads.iter().enumerate() {
            for (index, system) in systems.iter().enumerate() {
                let y = TOP + group * row as f64 + 6.0 + BAR * index as f64;
                if let Some(ratio) = results.ratio(*medium, workload.name, system, BASE) {
                    draw(ratio_bar(&axis, left, y, ratio, COLOURS[index % COLOURS.len()]));
                }
            }
        }
    }
    draw(text(14.0, bottom + 28.0, "start", "10", &footnote(results)));
    svg += "</svg>\n";
    Some(svg)
}

fn footnote(results: &Results) -> String {
    let Results { size, operations, rounds, .. } = results;
    format!("Disks of {} MiB, {operations} random requests, median of {rounds} rounds.", size >> 20)
}

/// From 1, the raw file, to the left if slower and to the right if faster; its value stands at its end.
fn ratio_bar(axis: &Axis, left: f64, y: f64, ratio: Spread, colour: &str) -> String {
    let (one, end) = (left + axis.place(1.0), left + axis.place(ratio.median));
    let middle = y + (BAR - 2.0) / 2.0;
    let least_and_most = ((left + axis.place(ratio.low), middle), (left + axis.place(ratio.high), middle));
    let (furthest, anchor, step) = match ratio.median < 1.0 {
        true => (least_and_most.0.0, "end", -4.0),
        false => (least_and_most.1.0, "start", 4.0),
    };
    [
        bar(one.min(end), y, (one - end).abs().max(1.0), BAR - 2.0, colour),
        line(least_and_most.0, least_and_most.1, "#222", 1.0),
        text(furthest + step, y + BAR - 2.5, anchor, "9", &short(ratio.median)),
    ]
    .join("\n")
}

/// A logarithmic axis of whole powers of ten, with room for figures at both ends. What is off the scale ends there; its
/// figure tells.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn over(results: &Results, media: &[Medium], systems: &[&str]) -> Self {
        let (mut low, mut high) = (0.1_f64, 10.0_f64);
        for (medium, workload) in media.iter().flat_map(|medium| WORKLOADS.iter().map(move |w| (medium, w))) {
            for system in systems {
                if let Some(ratio) = results.ratio(*medium, workload.name, system, BASE) {
                    (low, high) = (low.min(ratio.low), high.max(ratio.high));
                }
            }
        }
        Self { low: low.max(LEAST).log10().floor(), high: high.min(MOST).log10().ceil() }
    }

    fn place(&self, value: f64) -> f64 {
        const ROOM: f64 = 38.0;
        let value = value.log10().clamp(self.low, self.high);
        ROOM + (value - self.low) / (self.high - self.low) * (BARS - 2.0 * ROOM)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.low as i32..=self.high as i32).map(|power| 10_f64.powi(power))
    }
}

fn axis_label(tick: f64) -> String {
    if tick == 1.0 { "raw file".to_owned() } else { format!("{tick}×") }
}

fn bar(x: f64, y: f64, width: f64, height: f64, colour: &str) -> String {
    format!("<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>")
}

fn line(from: (f64, f64), to: (f64, f64), colour: &str, width: f64) -> String {
    format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
        from.0, from.1, to.0, to.1
    )
}

fn text(x: f64, y: f64, anchor: &str, size: &str, text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        let _ = match character {
            '<' => escaped.write_str("&lt;"),
            '&' => escaped.write_str("&amp;"),
            other => escaped.write_char(other),
        };
    }
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{escaped}</text>")
}
