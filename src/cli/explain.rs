//! `kwalk TARGET --explain`: prints the plan of a walk.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::insns::text;
use crate::list::listed;
use crate::message::Failure;
use kwalk::print::table::Column;
use kwalk::progs::Kernel;
use kwalk::select::{ColumnInfo, Plan, Sink, Type};

pub(crate) fn explain(plan: &Plan, link: &str, kernel: &Kernel<'_>) -> Result<ExitCode, Failure> {
    let program = plan.program(kernel)?;
    let row = match &plan.sink {
        Sink::Rows { schema, .. } => match schema.columns().iter().all(|column| column.bytes().is_some()) {
            true => format!("{} bytes", schema.row_max()),
            false => format!("at most {} bytes", schema.row_max()),
        },
        _ => "none: it counts".into(),
    };
    let mut out = format!(
        "target        {}\nlink          {link}\ncondition     {}\nrow           {row}\ninstructions  {}\n\n",
        plan.target.name,
        plan.condition().unwrap_or_else(|| "none: it shows all objects".into()),
        program.code.insns().len(),
    )
    .into_bytes();
    let heading = [
        Column::text("COLUMN"),
        Column::text("FROM"),
        Column::text("TYPE"),
        Column::number("OFFSET"),
        Column::number("SIZE"),
    ];
    if let Sink::Rows { schema, shown, .. } = &plan.sink {
        let rows = schema.columns().iter().enumerate().map(|(nth, column)| {
            let hidden = if nth < *shown { "" } else { " (to sort by)" };
            let (at, size) = match column.bytes() {
                Some(bytes) => (bytes.start.to_string(), bytes.len().to_string()),
                None => ("behind".into(), "any".into()),
            };
            vec![format!("{}{hidden}", column.name), column.source.clone(), ty(column), at, size]
        });
        listed(heading.into(), rows, &mut out);
        out.push(b'\n');
    }
    out.extend(text(&program, kernel.btf).bytes());
    io::stdout().lock().write_all(&out).map_err(Failure::output)?;
    Ok(ExitCode::SUCCESS)
}

fn ty(column: &ColumnInfo) -> String {
    let bits = || column.bytes().map_or(0, |bytes| 8 * bytes.len());
    match &column.ty {
        Type::List { of, size, .. } => format!("list of {}", of_size(of, 8 * size)),
        ty => of_size(ty, bits()),
    }
}

fn of_size(ty: &Type, bits: usize) -> String {
    match ty {
        Type::Int { signed: true } => format!("i{bits}"),
        Type::Int { signed: false } => format!("u{bits}"),
        Type::Bool => "bool".into(),
        Type::Enum { .. } => "enum".into(),
        Type::Text => "text".into(),
        Type::Pointer => "pointer".into(),
        Type::Ip => "ip".into(),
        Type::Stack => "stack".into(),
        Type::Bytes => "bytes".into(),
        Type::List { .. } => "list".into(),
    }
}
