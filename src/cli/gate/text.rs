//! The report for people: the verdict first, then what it rests on.

use std::fmt::Write;

use super::super::table::{counted, name_and_numbers, rounded};
use super::demands::percent;
use super::findings::Finding;
use super::kills::Kills;
use super::report::{Counts, End, FailingDrive, LAYERS, Outcome, PowerCuts, Report};
use disklayer_sqlite::harness::BUSY;

pub(super) fn text(report: &Report) -> String {
    let mut text = verdict(report) + "\n";
    for unmet in &report.unmet {
        let _ = writeln!(text, "      {unmet}");
    }
    let parts = [
        suites(report),
        operations(report),
        sights(report),
        power_cuts(report) + &failing_drive(report),
        shares(report),
    ];
    parts.iter().for_each(|part| text += &format!("\n{part}"));
    text += &repeats(report);
    report.kills.iter().for_each(|kills| text += &killed(kills));
    report.findings.iter().for_each(|finding| text += &format!("\n{}", told(finding)));
    if report.end == End::Enough {
        let _ = writeln!(text, "\nStopped after {} kinds of divergence.", report.findings.len());
    }
    text
}

/// One line that says it all.
fn verdict(report: &Report) -> String {
    let Report { total, seconds, seed, trace, .. } = report;
    let found = match (report.verdict, total.divergences) {
        (Outcome::Pass, _) => String::new(),
        (Outcome::Interrupted, _) => ": interrupted, nothing found".to_owned(),
        (Outcome::Fail, 0) if !report.repeats.unequal.is_empty() => {
            ": not every script gave the same trace twice".to_owned()
        }
        (Outcome::Fail, 0) if report.unmet.is_empty() => ": a kill was not survived".to_owned(),
        (Outcome::Fail, 0) => ": too little was exercised".to_owned(),
        (Outcome::Fail, times) => {
            let kinds = counted(report.findings.len() as u64, "kind");
            format!(": {} of {kinds}", counted(times, "divergence"))
        }
    };
    let word = match report.verdict {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::Interrupted => "STOP",
    };
    let rate = total.scripts as f64 / seconds.max(0.001);
    let (operations, sectors) = (rounded(total.operations), rounded(total.sectors_compared));
    format!(
        "{word}  {} scripts, {operations} operations, {sectors} sectors compared in {seconds:.1} s \
         ({rate:.0} scripts/s), seed {seed}, trace {trace}{found}",
        total.scripts
    )
}

fn suites(report: &Report) -> String {
    let head = ["suite", "scripts", "operations", "refused", "sectors compared", "divergences"];
    let line = |counts: &Counts| {
        vec![
            counts.name.to_owned(),
            counts.scripts.to_string(),
            counts.operations.to_string(),
            format!("{:.1} %", percent(counts.refusals, counts.operations)),
            counts.sectors_compared.to_string(),
            counts.divergences.to_string(),
        ]
    };
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(report.suites.iter().chain([&report.total]).map(line));
    name_and_numbers(&rows)
}

fn operations(report: &Report) -> String {
    let mut rows = vec![vec!["operation met first".to_owned()]];
    rows[0].extend(LAYERS.map(|layer| layer.to_string()));
    rows.extend(report.operations_by_layer.iter().map(|line| {
        let counts = LAYERS.map(|layer| line.layers.get(&layer.to_string()).copied().unwrap_or(0).to_string());
        std::iter::once(line.operation.clone()).chain(counts).collect()
    }));
    name_and_numbers(&rows)
}

fn sights(report: &Report) -> String {
    let mut rows = vec![vec!["met".to_owned(), "times".to_owned()]];
    rows.extend(report.sights.iter().map(|seen| vec![seen.what.to_owned(), seen.count.to_string()]));
    name_and_numbers(&rows)
}

/// In how many states the layers might have been: a set that is too large would let everything pass.
fn power_cuts(report: &Report) -> String {
    let PowerCuts { scripts, states, busy, deep, permitted } = &report.power_cuts;
    let mut text = format!(
        "  {} of the drive after power cuts, from {}; {:.1} % with {BUSY} unsynced writes or more, {} cut again while \
         opening\n",
        counted(*states, "state"),
        counted(*scripts, "script"),
        percent(*busy, *states),
        counted(*deep, "state"),
    );
    if *states > 0 {
        let all: u64 = permitted.values().sum();
        let told = permitted.iter().map(|(number, times)| format!("{number}: {:.1} %", percent(*times, all)));
        let _ = writeln!(text, "  a layer might be in so many states: {}", told.collect::<Vec<_>>().join(", "));
    }
    text
}

fn failing_drive(report: &Report) -> String {
    let FailingDrive { scripts, strikes } = &report.failing_drive;
    let kinds: Vec<_> = strikes.iter().map(|(name, times)| format!("{name} {times}")).collect();
    let (all, scripts) = (counted(strikes.values().sum(), "failure"), counted(*scripts, "script"));
    format!("  {all} of the drive at every call of {scripts}: {}\n", kinds.join(", "))
}

fn shares(report: &Report) -> String {
    let mut text = String::new();
    for share in &report.shares {
        let _ = writeln!(
            text,
            "  {:.1} % of the scripts had {} (at least {} %)",
            share.percent, share.what, share.at_least
        );
    }
    let medians = &report.medians;
    let _ = writeln!(
        text,
        "  medians: {} layers, disks of {} sectors, requests of {} sectors",
        medians.stack_depth, medians.disk_sectors, medians.request_sectors
    );
    let threads = &report.threads;
    let _ = writeln!(
        text,
        "  threads: {} groups of operations at once, {} overlapped, {} raced; {} changes of turn, {} orders tried",
        threads.groups, threads.overlapped, threads.raced, threads.switches, threads.orders
    );
    text
}

/// Scripts that were run twice, if any.
fn repeats(report: &Report) -> String {
    let unequal = &report.repeats.unequal;
    let which: Vec<_> = unequal.iter().take(super::findings::MOST).map(ToString::to_string).collect();
    match (report.repeats.scripts, unequal.len()) {
        (0, _) => String::new(),
        (scripts, 0) => format!("  {} run twice: each gave the same trace\n", counted(scripts, "script")),
        (scripts, other) => format!(
            "  {} run twice: {other} gave another trace the second time, such as {}\n",
            counted(scripts, "script"),
            which.join(", ")
        ),
    }
}

/// The processes that were killed, and each file that was not as it may be.
fn killed(kills: &Kills) -> String {
    let Kills { kills, midway, opening, states_permitted, shortened, findings } = kills;
    let mut text = format!(
        "  {kills} processes killed at work: {midway} inside of an operation, {opening} while opening; {states_permitted} states \
         permitted, {shortened} times the last operations were gone; {}\n",
        counted(findings.len() as u64, "finding")
    );
    findings.iter().flat_map(|finding| [""].into_iter().chain(finding.lines())).for_each(|line| {
        let _ = writeln!(text, "{}", format!("    {line}").trim_end());
    });
    text
}

/// A finding: what happened, the script, and how to see it again.
fn told(finding: &Finding) -> String {
    let Finding { name, suite, case, times, story, script, replay, .. } = finding;
    let times = if *times == 1 { String::new() } else { format!(", {times} times") };
    let mut text = format!("{name}: suite {suite}, script {case}{times}\n");
    for line in story.lines().chain([""]).chain(script.lines()) {
        let _ = writeln!(text, "{}", format!("    {line}").trim_end());
    }
    text + &format!("  {replay}\n")
}
