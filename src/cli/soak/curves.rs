//! Curves over time, as SVG.

use std::fmt::Write;
use std::time::Duration;

use super::screen::time;
use super::state::Point;
use crate::cli::table::rounded;

const WIDE: f64 = 270.0;
const HIGH: f64 = 130.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 26.0;
/// No more points than these are drawn.
const MOST: usize = 400;

/// A curve of what `value` says of each point.
pub(super) fn curve(title: &str, points: &[Point], value: impl Fn(&Point) -> u64) -> String {
    let end = points.last().map_or(1.0, |point| point.at).max(0.001);
    let top = points.iter().map(&value).max().unwrap_or(0).max(1);
    let x = |at: f64| LEFT + at / end * WIDE;
    let y = |value: u64| TOP + HIGH - value as f64 / top as f64 * HIGH;
    let mut line = format!("M{:.1} {:.1}", x(0.0), y(0));
    let each = points.len().div_ceil(MOST).max(1);
    let last = points.len().checked_sub(1);
    for (nth, point) in points.iter().enumerate() {
        if nth % each == 0 || Some(nth) == last {
            let _ = write!(line, "L{:.1} {:.1}", x(point.at), y(value(point)));
        }
    }
    let (right, bottom) = (LEFT + WIDE, TOP + HIGH);
    let (width, height) = (right + 4.0, bottom + 24.0);
    let (label, foot) = (LEFT - 6.0, bottom + 16.0);
    let all = time(Duration::from_secs_f64(end));
    format!(
        "<div class=\"curve\"><svg width=\"{width}\" height=\"{height}\" role=\"img\"><text x=\"0\" y=\"12\">{title}</text>\
         <line x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{bottom}\"/>\
         <line x1=\"{LEFT}\" y1=\"{TOP}\" x2=\"{right}\" y2=\"{TOP}\" stroke-dasharray=\"2 4\"/>\
         <path class=\"area\" d=\"{line}L{right:.1} {bottom:.1}Z\"/><path class=\"stroke\" d=\"{line}\"/>\
         <text class=\"size\" x=\"{label}\" y=\"{}\">{}</text><text class=\"size\" x=\"{label}\" y=\"{bottom}\">0</text>\
         <text class=\"size\" x=\"{right}\" y=\"{foot}\">{all}</text></svg></div>\n",
        TOP + 4.0,
        rounded(top),
    )
}
