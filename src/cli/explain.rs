//! `kwalk TARGET --explain`: prints the plan of a walk.

use std::process::ExitCode;

use crate::insns::text;
use crate::list::listed;
use crate::message::Failure;
use crate::output::print;
use kwalk::print::table::Column;
use kwalk::progs::Kernel;
use kwalk::select::{ColumnInfo, Completion, Plan, Sink, Type};

pub(crate) fn explain(plan: &Plan, link: &str, kernel: &Kernel<'_>) -> Result<ExitCode, Failure> {
    let program = plan.program(kernel)?;
    let completion = plan.completion.as_ref();
    let row = match &plan.sink {
        Sink::Rows { schema, .. } => {
            let schema = completion.map_or(schema, |completion| &completion.written);
            let is_fixed = |column: &ColumnInfo| column.bytes().is_some() || is_filled(column);
            let most = if schema.columns().iter().all(is_fixed) { "" } else { "at most " };
            format!("{most}{} bytes", schema.row_max())
        }
        _ => "none: it counts".into(),
    };
    let tested = completion.and_then(Completion::condition);
    let tested = tested.map(|condition| format!("afterwards    {condition}, with what is read from /proc\n"));
    let mut out = format!(
        "target        {}\nlink          {link}\ncondition     {}\n{}row           {row}\ninstructions  {}\n\n",
        plan.target.name,
        plan.condition().unwrap_or_else(|| "none: it shows all objects".into()),
        tested.unwrap_or_default(),
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
    if let Sink::Rows { schema, shown, order } = &plan.sink {
        let schema = completion.map_or(schema, |completion| &completion.complete);
        let rows = schema.columns().iter().enumerate().map(|(nth, column)| {
            let hidden = match nth {
                nth if nth < *shown => "",
                nth if order.iter().any(|key| key.column == nth) => " (to sort by)",
                _ => " (not shown)",
            };
            let (at, size) = match column.bytes() {
                Some(bytes) => (bytes.start.to_string(), bytes.len().to_string()),
                None if is_filled(column) => ("afterwards".into(), "any".into()),
                None => ("behind".into(), "any".into()),
            };
            vec![format!("{}{hidden}", column.name), column.source.clone(), ty(column), at, size]
        });
        listed(heading.into(), rows, &mut out);
        out.push(b'\n');
    }
    out.extend(text(&program, kernel.btf).bytes());
    print(&out)
}

/// Whether user space fills the column in.
fn is_filled(column: &ColumnInfo) -> bool {
    column.source.starts_with("/proc/")
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
        Type::Float => format!("f{bits}"),
        Type::Texts => "texts".into(),
        Type::List { .. } => "list".into(),
    }
}
