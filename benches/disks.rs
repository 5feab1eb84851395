//! How fast virtual disks are: this crate's formats beside the original's layout, a raw file and qcow2, on the same work
//! in the same run, on a disk and on tmpfs. `cargo bench --bench disks -- --help` has the options.

use std::fs;
use std::process::ExitCode;

use clap::Parser;

#[path = "disks/disk.rs"]
mod disk;
#[path = "disks/measure.rs"]
mod measure;
#[path = "disks/medium.rs"]
mod medium;
#[path = "disks/meter.rs"]
mod meter;
#[path = "disks/options.rs"]
mod options;
#[path = "disks/original.rs"]
mod original;
#[path = "disks/ours.rs"]
mod ours;
#[path = "disks/place.rs"]
mod place;
#[path = "disks/plan.rs"]
mod plan;
#[path = "disks/plot.rs"]
mod plot;
#[path = "disks/qcow2.rs"]
mod qcow2;
#[path = "disks/raw.rs"]
mod raw;
#[path = "disks/report.rs"]
mod report;
#[path = "disks/results.rs"]
mod results;
#[path = "disks/rounds.rs"]
mod rounds;
#[path = "disks/stamp.rs"]
mod stamp;
#[path = "disks/systems.rs"]
mod systems;
#[path = "disks/table.rs"]
mod table;
#[path = "disks/task.rs"]
mod task;
#[path = "disks/workload.rs"]
mod workload;

use disk::Result;
use options::Options;
use results::Results;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode> {
    if let Some(task) = &options.task {
        println!("{}", serde_json::to_string(&measure::measure(&serde_json::from_str(task)?)?)?);
        return Ok(ExitCode::SUCCESS);
    }
    let results = match &options.from {
        Some(path) => serde_json::from_slice(&fs::read(path)?)?,
        None => rounds::run(options)?,
    };
    publish(&results, options)?;
    Ok(if results.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn publish(results: &Results, options: &Options) -> Result<()> {
    let tables = report::tables(results);
    for table in &tables {
        println!("{}", table.text());
    }
    let (reached, wanted) = report::reached(results);
    println!("{reached} of {wanted} wanted ratios reached");
    for failure in &results.failures {
        println!("failed: {failure}");
    }
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string(results)?)?;
    }
    if let Some(path) = &options.markdown {
        fs::write(path, tables.iter().map(table::Table::markdown).collect::<Vec<_>>().join("\n"))?;
    }
    match (&options.svg, plot::svg(results)) {
        (Some(path), Some(svg)) => fs::write(path, svg)?,
        (Some(_), None) => eprintln!("no plot: it compares with a raw file, and none was measured"),
        (None, _) => {}
    }
    Ok(())
}
