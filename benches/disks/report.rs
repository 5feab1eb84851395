//! The tables: ratios first, then speeds, then what it costs.

use super::medium::Medium;
use super::results::{Results, Spread};
use super::systems;
use super::table::Table;
use super::task::Sample;
use super::workload::{Unit, WORKLOADS, Workload};

const MIB: f64 = 1048576.0;

pub(crate) fn tables(results: &Results) -> Vec<Table> {
    let media = results.media();
    let ours = || results.systems().into_iter().filter(|name| systems::is_ours(name));
    let ratios = media.iter().flat_map(|medium| ours().map(|subject| ratios(results, *medium, subject)));
    let speeds = media.iter().map(|medium| speeds(results, *medium));
    let costs = media.iter().map(|medium| costs(results, *medium));
    ratios.chain(speeds).chain(costs).filter(|table| table.header.len() > 1).collect()
}

/// How many wanted ratios were reached, of how many.
pub(crate) fn reached(results: &Results) -> (usize, usize) {
    let (mut reached, mut wanted) = (0, 0);
    for medium in results.media() {
        for subject in results.systems().into_iter().filter(|name| systems::is_ours(name)) {
            for (workload, other) in WORKLOADS.iter().flat_map(|w| results.systems().into_iter().map(move |s| (w, s))) {
                let ratio = results.ratio(medium, workload.name, subject, other);
                if let Some((goal, ratio)) = workload.goal(other, medium).zip(ratio) {
                    wanted += 1;
                    reached += usize::from(ratio.median >= goal);
                }
            }
        }
    }
    (reached, wanted)
}

fn ratios(results: &Results, medium: Medium, subject: &str) -> Table {
    let others: Vec<_> = results.systems().into_iter().filter(|name| !systems::is_ours(name)).collect();
    let cell = |workload: &Workload, other: &&str| {
        let goal = workload.goal(other, medium);
        results.ratio(medium, workload.name, subject, other).map_or("–".to_owned(), |ratio| said(ratio, goal))
    };
    Table {
        title: format!(
            "{medium}: speed of {subject} as a multiple of others': median (least–most of the rounds), and the multiple \
             that is wanted: ✓ reached, ✗ not"
        ),
        header: header("workload", others.iter().map(|other| format!("vs {other}"))),
        rows: rows(results, medium, |workload| others.iter().map(|other| cell(workload, other)).collect()),
    }
}

fn said(ratio: Spread, goal: Option<f64>) -> String {
    let Spread { low, median, high } = ratio;
    let goal = match goal {
        Some(goal) if median >= goal => format!("  ✓ {goal}"),
        Some(goal) => format!("  ✗ {goal}"),
        None => String::new(),
    };
    format!("{} ({}–{}){goal}", short(median), short(low), short(high))
}

fn speeds(results: &Results, medium: Medium) -> Table {
    let systems = results.systems();
    let cell = |workload: &Workload, system: &&str| {
        let speed = |sample: &Sample| Some(speed(workload.unit, sample));
        let spread = results.spread(medium, workload.name, system, speed);
        spread.map_or("–".to_owned(), |spread| grouped(spread.median))
    };
    let unit = |workload: &Workload| match workload.unit {
        Unit::MebibytesPerSecond => "MiB/s".to_owned(),
        Unit::OperationsPerSecond => "op/s".to_owned(),
    };
    let row = |workload: &Workload| {
        std::iter::once(unit(workload)).chain(systems.iter().map(|system| cell(workload, system))).collect()
    };
    Table {
        title: format!("{medium}: speeds, medians"),
        header: header("workload", std::iter::once("unit".to_owned()).chain(systems.iter().map(|s| s.to_string()))),
        rows: rows(results, medium, row),
    }
}

fn speed(unit: Unit, sample: &Sample) -> f64 {
    match unit {
        Unit::MebibytesPerSecond => sample.payload as f64 / MIB / sample.seconds,
        Unit::OperationsPerSecond => sample.operations as f64 / sample.seconds,
    }
}

fn costs(results: &Results, medium: Medium) -> Table {
    let figures: [fn(&Sample) -> Option<f64>; 4] = [
        |sample| (sample.payload > 0).then_some(sample.written? as f64 / sample.payload as f64),
        |sample| sample.stored.map(|(stored, data)| stored as f64 / data as f64),
        |sample| sample.peak.map(|peak| peak as f64 / MIB),
        |sample| sample.calls.map(|calls| calls as f64 / sample.operations as f64),
    ];
    let systems = results.systems();
    let cell = |workload: &Workload, system: &&str| {
        let median = |figure| results.spread(medium, workload.name, system, figure).map(|spread| spread.median);
        let medians = figures.map(median);
        if medians.iter().all(Option::is_none) {
            return "–".to_owned();
        }
        medians.map(|median| median.map_or("–".to_owned(), short)).join(" / ")
    };
    Table {
        title: format!(
            "{medium}: bytes written per byte of the requests / bytes of the file per byte of data / peak memory of the \
             process in MiB / reads and writes (system calls) per operation; closing is included, syncs are not counted"
        ),
        header: header("workload", systems.iter().map(|system| system.to_string())),
        rows: rows(results, medium, |workload| systems.iter().map(|system| cell(workload, system)).collect()),
    }
}

fn header(first: &str, others: impl Iterator<Item = String>) -> Vec<String> {
    std::iter::once(first.to_owned()).chain(others).collect()
}

/// A row for each workload that was measured.
fn rows(results: &Results, medium: Medium, cells: impl Fn(&Workload) -> Vec<String>) -> Vec<Vec<String>> {
    let is_measured = |workload: &&Workload| {
        results.measurements.iter().any(|measured| measured.medium == medium && measured.workload == workload.name)
    };
    let row = |workload: &Workload| header(workload.what, cells(workload).into_iter());
    WORKLOADS.iter().filter(is_measured).map(row).collect()
}

/// About three digits that mean something.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.01 => format!("{value:.4}"),
        small if small < 0.1 => format!("{value:.3}"),
        small if small < 10.0 => format!("{value:.2}"),
        middling if middling < 100.0 => format!("{value:.1}"),
        _ => grouped(value),
    }
}

/// A whole number, with a comma before every third digit.
fn grouped(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
