//! How fast rows are decoded and printed, in rows: made-up ones, of five columns, in memory.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use kwalk::btf::Btf;
use kwalk::print::csv::Csv;
use kwalk::print::json::Json;
use kwalk::print::raw::Raw;
use kwalk::print::table::{self, Screen};
use kwalk::print::{Format, escape_line};
use kwalk::progs::Kernel;
use kwalk::select::{Schema, Select};

const ROWS: usize = 10_000;

type Open = fn(&Schema) -> Box<dyn Format>;

/// The schema of a walk of tasks, and rows of it.
fn rows(fields: [&'static str; 5]) -> (Schema, Vec<u8>) {
    let types = std::fs::read("/sys/kernel/btf/vmlinux").expect("the kernel's types");
    let btf = Btf::new(&types).expect("the kernel's types");
    let plan = Select::new("task").fields(fields).plan(&Kernel::described(&btf)).expect("fields of tasks");
    let schema = plan.schema().expect("rows").clone();
    let mut bytes = Vec::new();
    for row in 0..ROWS {
        // Numbers of as many digits as they have in life, and no bit that says NULL.
        let start = bytes.len();
        bytes.resize(start + schema.row_max(), 0);
        for (nth, column) in schema.columns().iter().enumerate() {
            let place = column.bytes().expect("a column of known size");
            let place = &mut bytes[start + place.start..start + place.end];
            let number = (row * (nth + 1) + 1000) as u64;
            match place.len() {
                16 => place[..12].copy_from_slice(&format!("kworker/{:04}", row % 10_000).into_bytes()),
                8 => place.copy_from_slice(&(number * 1_000_003).to_ne_bytes()),
                _ => place.copy_from_slice(&(number as u32).to_ne_bytes()),
            }
        }
    }
    (schema, bytes)
}

fn print(c: &mut Criterion) {
    let mut group = c.benchmark_group("print");
    group.throughput(Throughput::Elements(ROWS as u64));
    let (schema, bytes) = rows(["tgid", "pid", "comm", "utime", "flags"]);
    let formats: [(&str, Open); 5] = [
        ("raw", |schema| Box::new(Raw::new(schema))),
        ("ndjson", |schema| Box::new(Json::lines(schema))),
        ("json", |schema| Box::new(Json::array(schema))),
        ("csv", |schema| Box::new(Csv::new(schema))),
        ("table", |schema| Box::new(table::Rows::new(schema, Screen::default()))),
    ];
    let mut out = Vec::new();
    for (name, format) in formats {
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                let mut format = format(&schema);
                format.begin(&mut out);
                let mut rest = black_box(&bytes[..]);
                while let Ok(Some((row, len @ 1..))) = schema.row(rest) {
                    format.row(&row, &mut out);
                    rest = &rest[len..];
                    if out.len() >= 64 << 10 {
                        format.flush(&mut out);
                        black_box(&out);
                        out.clear();
                    }
                }
                format.end(&mut out);
                black_box(&out);
                out.clear();
            });
        });
    }
    group.finish();
}

fn escape(c: &mut Criterion) {
    let mut group = c.benchmark_group("escape");
    for (name, text) in [("plain", "kworker/0:1-events"), ("hostile", "a\n\x1b[2J é名\u{9b}")] {
        group.bench_function(name, |b| b.iter(|| escape_line(black_box(text)).len()));
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    print(&mut criterion);
    escape(&mut criterion);
    criterion.final_summary();
}
