//! Measures kwalk against its peers, in one run, and prints a table of it in Markdown; then what could not be measured, and
//! why.
//!
//!     cargo peers [GROUP...] [--plot FILE.svg]

use std::path::Path;
use std::process::ExitCode;
use std::sync::LazyLock;

use built::Built;
use race::Row;

mod assembler;
mod btf;
#[path = "../../built/mod.rs"]
mod built;
mod cold;
mod growth;
mod libbpf;
mod plot;
#[path = "../../population/mod.rs"]
mod population;
mod proc;
#[path = "../../programs/mod.rs"]
mod programs;
mod race;
mod tight;
mod tools;
mod walks;

/// Measures some rows.
type Measure = fn(&mut Table);

/// What is measured together.
const GROUPS: [(&str, Measure); 6] = [
    ("assembler", |table| assembler::races().into_iter().for_each(|row| table.add(row))),
    ("btf", |table| btf::races().into_iter().for_each(|row| table.add(row))),
    ("cold", cold::races),
    ("walk", walks::races),
    ("proc", proc::races),
    ("growth", growth::races),
];

/// What has been measured, and what could not be.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
    left_out: Vec<String>,
}

impl Table {
    /// Adds a row, and shows it.
    fn add(&mut self, row: Row) {
        println!("{row}");
        self.rows.push(row);
    }

    /// What is there; or says why it is not, of what then is left out.
    fn has<T>(&mut self, what: &str, found: Result<T, impl std::fmt::Display>) -> Option<T> {
        found.map_err(|why| self.left_out.push(format!("{what}: {why}"))).ok()
    }
}

/// The static binaries of the repository, for all groups that run them.
static BUILT: LazyLock<Result<Built, String>> =
    LazyLock::new(|| Built::new(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))));

/// They, or a line that says why there are none.
fn built(table: &mut Table) -> Option<&'static Built> {
    table.has("static binaries", BUILT.as_ref())
}

fn main() -> ExitCode {
    if population::helper() {
        return ExitCode::SUCCESS;
    }
    let mut args = std::env::args().skip(1);
    let (mut groups, mut plot) = (Vec::new(), None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            mode @ (btf::COLD | btf::MEMORY) => {
                btf::answer(mode, args);
                return ExitCode::SUCCESS;
            }
            "--plot" => plot = args.next(),
            name if GROUPS.iter().any(|(known, _)| *known == name) => groups.push(arg),
            _ => {
                let names = GROUPS.map(|(name, _)| name).join(" ");
                eprintln!("usage: cargo peers [GROUP...] [--plot FILE.svg]; groups: {names}");
                return ExitCode::from(2);
            }
        }
    }
    let mut table = Table::default();
    println!("| what | unit | kwalk | peer | | ratio | goal |");
    println!("|---|---|---:|---:|---|---:|---:|");
    for (name, measure) in GROUPS {
        if groups.is_empty() || groups.iter().any(|group| group == name) {
            measure(&mut table);
        }
    }
    if !table.left_out.is_empty() {
        println!("\nLeft out:\n");
        table.left_out.iter().for_each(|line| println!("- {line}"));
    }
    if let Some(path) = plot {
        if let Err(error) = plot::draw(Path::new(&path), &table.rows) {
            eprintln!("{path}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
