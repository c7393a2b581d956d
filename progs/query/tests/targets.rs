//! The tables of named columns: their texts, and which columns a kernel has.

use std::collections::HashSet;

use kwalk_btf::Btf;
use kwalk_progs::{Kernel, Target, available, targets};
use kwalk_query::{NamedColumn, Select, named_columns, resolved_columns};

fn columns() -> impl Iterator<Item = (&'static Target, &'static NamedColumn)> {
    let all = targets::ALL.iter().copied();
    all.flat_map(|target| named_columns(&target.name).iter().map(move |column| (target, column)))
}

/// Columns with faults, by name.
#[track_caller]
fn none(is_wrong: impl Fn(&Target, &NamedColumn) -> bool) {
    let wrong = columns().filter(|(target, column)| is_wrong(target, column));
    let wrong: Vec<_> =
        wrong.map(|(target, column)| format!("{}.{}: {column:?}", target.name, column.name)).collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_target_has_columns_of_one_name_each() {
    for target in targets::ALL {
        let mut names = HashSet::new();
        let columns = named_columns(&target.name);
        assert!(columns.iter().any(|column| column.default), "{}", target.name);
        assert!(columns.iter().all(|column| names.insert(column.name)), "{}", target.name);
    }
    assert!(named_columns("no such target").is_empty());
}

/// A meaning is a fragment of a sentence, in a table beside others.
#[test]
fn every_column_has_a_short_meaning() {
    none(|_, NamedColumn { meaning, .. }| {
        meaning.is_empty() || meaning.len() > 70 || meaning.trim() != *meaning || meaning.ends_with('.')
    });
}

#[test]
fn how_a_column_is_shown_is_of_its_unit() {
    none(|_, NamedColumn { show, unit, .. }| !show.unit().is_empty() && show.unit() != *unit);
}

#[test]
fn no_column_is_older_than_its_target() {
    none(|target, column| column.since.is_some() && column.since <= target.since);
}

/// Resolving all columns of a target gives the same as planning each alone: none depends on those before it.
fn assert_same_as_planned(kernel: &Kernel<'_>) {
    for found in available(kernel.btf).unwrap() {
        let target = &*found.target.name;
        let planned = named_columns(target).iter().filter_map(|column| {
            let plan = Select::new(target).fields([column.name]).plan(kernel).ok()?;
            Some((column.name, plan.schema()?.columns()[0].source.clone()))
        });
        let resolved = resolved_columns(kernel, target).unwrap();
        let resolved = resolved.into_iter().map(|(column, source)| (column.name, source));
        assert_eq!(resolved.collect::<Vec<_>>(), planned.collect::<Vec<_>>(), "{target}");
    }
}

#[test]
fn columns_are_resolved_as_they_are_planned() {
    let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return };
    let btf = Btf::new(&bytes).unwrap();
    let mut kernel = Kernel::described(&btf);
    assert_same_as_planned(&kernel);
    assert!(resolved_columns(&kernel, "task").unwrap().iter().any(|(column, _)| column.name == "pidns"));
    // Without a JIT there is no cast.
    kernel.has_jit = false;
    assert_same_as_planned(&kernel);
    assert!(!resolved_columns(&kernel, "task").unwrap().iter().any(|(column, _)| column.name == "pidns"));
}
