//! The stack at one moment, as SVG: a row for each layer, a column for each band of sectors.

use disklayer_sqlite::harness::{Film, Frame, Held, Row, Sectors};
use disklayer_sqlite::script::{Op, Script, Target};

use super::colour::{self, Colours};
use super::escaped;

const LEFT: usize = 132;
const WIDE: usize = 34;
const HIGH: usize = 24;
const GAP: usize = 5;
/// Room for the bar that shows where the operation is.
const BAR: usize = 10;

pub(super) fn stack(script: &Script, film: &Film, frame: &Frame, before: Option<&Frame>, colours: &Colours) -> String {
    let head = head(&film.bands);
    let rows = frame.rows.len() + usize::from(frame.found.is_some());
    let (width, height) = (LEFT + film.bands.len() * WIDE + 8, head + BAR + rows * (HIGH + GAP) + 2);
    let mut svg = format!("<div class=\"scroll\"><svg width=\"{width}\" height=\"{height}\" role=\"img\">\n");
    svg += &labels(&film.bands, head);
    svg += &bars(script, film, frame, head);
    let mut top = head + BAR;
    if let Some(found) = &frame.found {
        svg += &name(top, "what was read", "");
        for (column, _) in film.bands.iter().enumerate().filter(|(_, band)| band.contains(&found.sector)) {
            svg += &cell(column, top, found.actual, found.sector, colours, "cell wrong");
        }
        top += HIGH + GAP;
    }
    let same_stack = before.is_some_and(|before| before.rows.len() == frame.rows.len());
    for (nth, row) in frame.rows.iter().enumerate() {
        let before = before.filter(|_| same_stack).map(|before| &before.rows[nth]);
        svg += &layer(nth, row, before, film, top, colours);
        top += HIGH + GAP;
    }
    svg + "</svg></div>\n"
}

fn layer(nth: usize, row: &Row, before: Option<&Row>, film: &Film, top: usize, colours: &Colours) -> String {
    let mut svg = name(top, &format!("@{nth} {}", row.kind), &row.sector_count.to_string());
    for (column, (held, band)) in row.held.iter().zip(&film.bands).enumerate() {
        let changed = before.is_some_and(|before| before.held.get(column) != Some(held));
        let wrong = row.wrong.iter().any(|wrong| wrong.sector == band.start);
        let mut class = String::from("cell");
        class += if changed { " changed" } else { "" };
        class += if wrong { " wrong" } else { "" };
        class += if band.start >= row.visible { " hidden" } else { "" };
        svg += &cell(column, top, *held, band.start, colours, &class);
    }
    svg
}

fn name(top: usize, name: &str, size: &str) -> String {
    let y = top + HIGH / 2 + 4;
    let end = LEFT - 10;
    format!(
        "<text class=\"name\" x=\"0\" y=\"{y}\">{name}</text><text class=\"size\" x=\"{end}\" y=\"{y}\">{size}</text>\n"
    )
}

/// A sector, or a band of them.
fn cell(column: usize, top: usize, held: Held, sector: u64, colours: &Colours, class: &str) -> String {
    let (kind, fill, text) = match held {
        Held::Outside => return String::new(),
        Held::Absent => ("absent", String::new(), String::new()),
        Held::Zeros => ("zeros", String::new(), "0".to_owned()),
        Held::Unknown => ("unknown", String::new(), "?".to_owned()),
        Held::Said(content, from) => {
            let astray = if from == sector { "" } else { "≠" };
            ("said", format!(" style=\"fill:{}\"", colours.of(content)), format!("{}{astray}", colour::label(content)))
        }
    };
    let (x, middle, line) = (LEFT + column * WIDE + 1, LEFT + column * WIDE + WIDE / 2, top + HIGH / 2 + 4);
    let (w, h) = (WIDE - 2, HIGH);
    format!(
        "<rect class=\"{class} {kind}\" x=\"{x}\" y=\"{top}\" width=\"{w}\" height=\"{h}\" rx=\"3\"{fill}/>\
         <text class=\"in {kind}\" x=\"{middle}\" y=\"{line}\">{}</text>\n",
        escaped(&text)
    )
}

/// Where each operation is: a bar over the sectors it names.
fn bars(script: &Script, film: &Film, frame: &Frame, head: usize) -> String {
    let mut svg = String::new();
    for (step, _) in &frame.steps {
        let Some(op) = script.lines.get(*step).map(|line| line.op) else { continue };
        let Some(range) = range(&op, script.shape.sector_size) else { continue };
        let inside = |band: &Sectors| band.start < range.1 && range.0 < band.end;
        let columns: Vec<usize> =
            film.bands.iter().enumerate().filter(|(_, band)| inside(band)).map(|(column, _)| column).collect();
        let (Some(first), Some(last)) = (columns.first(), columns.last()) else { continue };
        let class = if matches!(op, Op::Read { .. } | Op::ReadBytes { .. }) { "reads" } else { "writes" };
        let (x, y, w) = (LEFT + first * WIDE + 1, head + 1, (last - first + 1) * WIDE - 2);
        svg += &format!("<rect class=\"bar {class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"5\" rx=\"2.5\"/>");
        if let Target::Layer(layer) = op.target() {
            svg += &format!("<text class=\"size\" x=\"{}\" y=\"{}\">only @{layer}</text>", LEFT - 10, head + 7);
        }
    }
    svg
}

/// First sector and end.
fn range(op: &Op, sector_size: u32) -> Option<(u64, u64)> {
    match *op {
        Op::ReadBytes { sector, len, .. } | Op::WriteBytes { sector, len, .. } => {
            Some((sector, sector.saturating_add(u64::from(len.div_ceil(sector_size)))))
        }
        _ => op.range().map(|(sector, count)| (sector, sector.saturating_add(count))),
    }
}

/// The numbers of the sectors over the columns; long ones stand on end.
fn labels(bands: &[Sectors], head: usize) -> String {
    let mut svg = String::new();
    for (column, band) in bands.iter().enumerate() {
        let (x, y) = (LEFT + column * WIDE + WIDE / 2, head - 4);
        let turned = if head > 20 {
            format!(" class=\"sector on-end\" transform=\"rotate(-60 {x} {y})\"")
        } else {
            " class=\"sector\"".to_owned()
        };
        svg += &format!("<text{turned} x=\"{x}\" y=\"{y}\">{}</text>\n", label(band));
    }
    svg
}

fn label(band: &Sectors) -> String {
    match band.end - band.start {
        1 => band.start.to_string(),
        _ => format!("{}–{}", band.start, band.end - 1),
    }
}

fn head(bands: &[Sectors]) -> usize {
    let longest = bands.iter().map(|band| label(band).chars().count()).max().unwrap_or(0);
    if longest <= 5 { 18 } else { 16 + longest * 6 }
}
