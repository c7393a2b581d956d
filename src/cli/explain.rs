//! `kwalk TARGET --explain`: what a walk would do.

use std::io::{self, Write};
use std::process::ExitCode;

use super::insns::text;
use super::list::listed;
use super::message::Failure;
use crate::btf::Btf;
use crate::print::table::Column;
use crate::select::{ColumnInfo, Plan, Type};

pub(super) fn explain(plan: &Plan, told: &str, btf: &Btf<'_>) -> Result<ExitCode, Failure> {
    let schema = &plan.schema;
    let texts = schema.columns().iter().filter(|column| column.bytes().is_none()).count();
    let row = match (plan.counter, texts) {
        (Some(_), _) => "none: it counts".into(),
        (None, 0) => format!("{} bytes", schema.row_max()),
        (None, _) => format!("at most {} bytes", schema.row_max()),
    };
    let mut out = format!(
        "target        {}\nlink          {told}\ncondition     {}\nrow           {row}\ninstructions  {}\n\n",
        plan.program.target.name,
        plan.condition().unwrap_or_else(|| "none: it shows all objects".into()),
        plan.program.code.insns().len(),
    );
    let heading = [
        Column::text("COLUMN"),
        Column::text("FROM"),
        Column::text("TYPE"),
        Column::number("OFFSET"),
        Column::number("SIZE"),
    ];
    let rows = schema.columns().iter().enumerate().map(|(nth, column)| {
        let hidden = if nth < plan.shown { "" } else { " (to sort by)" };
        let (at, size) = match column.bytes() {
            Some(bytes) => (bytes.start.to_string(), bytes.len().to_string()),
            None => ("behind".into(), "any".into()),
        };
        vec![format!("{}{hidden}", column.name), column.source.clone(), ty(column), at, size]
    });
    if plan.counter.is_none() {
        out += &(listed(heading.into(), rows) + "\n");
    }
    out += &text(&plan.program, btf);
    io::stdout().lock().write_all(out.as_bytes()).map_err(Failure::output)?;
    Ok(ExitCode::SUCCESS)
}

fn ty(column: &ColumnInfo) -> String {
    let bits = || column.bytes().map_or(0, |bytes| 8 * bytes.len());
    match &column.ty {
        Type::Int { signed: true } => format!("i{}", bits()),
        Type::Int { signed: false } => format!("u{}", bits()),
        Type::Bool => "bool".into(),
        Type::Enum { .. } => "enum".into(),
        Type::Text => "text".into(),
        Type::Pointer => "pointer".into(),
        Type::Ip => "ip".into(),
        Type::Stack => "stack".into(),
        Type::Bytes => "bytes".into(),
    }
}
