//! A script's run as a picture: every layer after every step, as sectors that are coloured by the write they are from.
//!
//! A page needs nothing but itself: no script, no font, no other file.

use disklayer_sqlite::harness::{Film, Frame, Held, Wrong};
use disklayer_sqlite::script::{Content, Line, Script};

mod colour;
mod draw;
mod page;
mod steps;

pub(super) use draw::Draw;
pub(super) use page::{escaped, page};

use colour::Colours;

/// The picture of a script, to be put into a page.
pub(super) fn drawn(script: &Script, film: &Film) -> String {
    let colours = Colours::new(script);
    let mut html = String::from("<div class=\"film\">\n");
    html += &legend(&colours);
    for (nth, frame) in film.frames.iter().enumerate() {
        let before = nth.checked_sub(1).map(|before| &film.frames[before]);
        html += &section(script, film, frame, before, &colours);
    }
    html + "</div>\n"
}

/// What the colours mean.
fn legend(colours: &Colours) -> String {
    let mut html = String::from("<ul class=\"legend\">");
    for (content, said) in colours.all() {
        let swatch = format!("<i style=\"background:{}\"></i>", colours.of(content));
        html += &format!("<li>{swatch}<b>{}</b> {}</li>", colour::label(content), escaped(&said));
    }
    html += "<li><i class=\"zeros\">0</i>zeros, which hide what is below</li>";
    html += "<li><i class=\"absent\"></i>absent: what is below shows</li>";
    html += "<li><i class=\"wrong\"></i>not as it must be</li></ul>\n";
    html
}

/// One step: its title, the layers, and what is wrong with them.
fn section(script: &Script, film: &Film, frame: &Frame, before: Option<&Frame>, colours: &Colours) -> String {
    let wrong = !told(frame).is_empty() || frame.steps.iter().any(|(_, outcome)| outcome == "DIVERGES");
    let class = if wrong { "step wrong" } else { "step" };
    let mut html = format!("<section class=\"{class}\">\n{}", title(script, frame));
    html += &steps::stack(script, film, frame, before, colours);
    let notes = told(frame);
    if !notes.is_empty() {
        html += "<ul class=\"notes\">";
        notes.iter().for_each(|note| html += &format!("<li>{}</li>", escaped(note)));
        html += "</ul>\n";
    }
    html + "</section>\n"
}

fn title(script: &Script, frame: &Frame) -> String {
    if frame.steps.is_empty() {
        return "<h3><span class=\"number\">·</span><code>the stack at first</code></h3>\n".to_owned();
    }
    let mut html = String::new();
    for (step, outcome) in &frame.steps {
        let line = script.lines.get(*step).map(Line::to_string).unwrap_or_default();
        let class = match outcome.as_str() {
            "DIVERGES" => "bad",
            "done" => "done",
            _ => "refused",
        };
        html += &format!(
            "<h3><span class=\"number\">{step}</span><code>{}</code><span class=\"{class}\">{}</span></h3>\n",
            escaped(&line),
            escaped(outcome)
        );
    }
    html
}

/// Every sector that is not as it must be, in a sentence.
fn told(frame: &Frame) -> Vec<String> {
    let sentence = |whose: String, wrong: &Wrong| {
        let Wrong { sector, expected, actual } = wrong;
        format!("{whose}, sector {sector}: must be {}, is {}", held(*expected, *sector), held(*actual, *sector))
    };
    let read = frame.found.iter().map(|wrong| sentence("What was read".to_owned(), wrong));
    let rows = frame.rows.iter().enumerate();
    let layers = rows.flat_map(|(n, row)| row.wrong.iter().map(move |wrong| (n, wrong)));
    read.chain(layers.map(|(n, wrong)| sentence(format!("Layer {n}"), wrong))).collect()
}

fn held(held: Held, sector: u64) -> String {
    match held {
        Held::Outside => "past the end".to_owned(),
        Held::Absent => "absent".to_owned(),
        Held::Zeros => "zeros".to_owned(),
        Held::Said(content, from) if from != sector => format!("{} of sector {from}", said(content)),
        Held::Said(content, _) => said(content),
        Held::Unknown => "bytes that nobody wrote".to_owned(),
    }
}

fn said(content: Content) -> String {
    content.to_string()
}
