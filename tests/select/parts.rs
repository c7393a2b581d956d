//! What the verifier rejects of a selection is named by the part that it was emitted for, as the user wrote that.

use kwalk::asm::Reg::{R2, R10};
use kwalk::asm::{Assembler, Code, Helper, Insn, u64_at};
use kwalk::progs::Program;
use kwalk::select::{Column, Expr, Reason, Select, field, sql};
use kwalk::{Error, Loaded, Rejection, Scope};

use crate::support::rows::walked;
use crate::support::running;

const CONDITION: &str =
    "comm like 'ab%' and (real_parent.tgid = 7777 or not mm.exe_file.f_path.dentry.d_name.name like '%x%')";
const COLUMNS: &str = "pid, tgid + 1234 as more, real_parent.comm, nsproxy.uts_ns.name.sysname";

fn program(select: &Select) -> Program {
    let kernel = running();
    select.plan(&kernel).unwrap().program(&kernel).unwrap()
}

fn parsed() -> Select {
    let order = sql::keys("tgid & 4321 desc").unwrap();
    Select::new("task")
        .fields(sql::columns(COLUMNS).unwrap())
        .filter(sql::expression(CONDITION).unwrap())
        .order(order)
}

/// The slots of a program's instructions, with them.
fn slots(program: &Program) -> impl Iterator<Item = (usize, Insn)> {
    let mut next = 0;
    program.code.insns().iter().map(move |insn| {
        let slot = next;
        next += insn.slots();
        (slot, *insn)
    })
}

pub(crate) fn each_instruction_is_of_its_part() {
    let program = &program(&parsed());
    // The part of the one instruction whose text has this in it.
    let of = |text: &str| {
        let all: Vec<_> = slots(program).filter(|(_, insn)| insn.to_string().contains(text)).collect();
        let [(slot, _)] = all[..] else { panic!("{text}: {all:?}") };
        program.fragment_of(slot).map(ToString::to_string).unwrap_or_default()
    };
    let name = "the condition `mm.exe_file.f_path.dentry.d_name.name like '%x%'`";
    // The two bytes are compared as one number of this machine's order.
    let ab = format!("!= {:#x}", u16::from_ne_bytes(*b"ab"));
    assert_eq!(of(&ab), "the condition `comm like 'ab%'`");
    assert_eq!(of("0x1e61"), "the condition `real_parent.tgid = 7777`");
    assert_eq!(of("!= 0x78"), name);
    assert_eq!(of("+= 0x4d2"), "the column `tgid + 1234`");
    assert_eq!(of("&= 0x10e1"), "the order by `tgid & 4321`");
    // The call that copies the name, which the condition wants, and the one that copies `sysname`; then what writes the
    // row, which is nobody's.
    let calls: Vec<_> = slots(program)
        .filter_map(|(slot, insn)| match insn {
            Insn::CallHelper { helper } => Some((helper, program.fragment_of(slot).map(ToString::to_string))),
            _ => None,
        })
        .collect();
    let wanted = [
        (Helper::ProbeReadKernelStr.into(), Some(name.into())),
        (Helper::ProbeReadKernel.into(), Some("the column `nsproxy.uts_ns.name.sysname`".into())),
        (Helper::SeqWrite.into(), None),
    ];
    assert_eq!(calls, wanted);
    // Each part has instructions of its own, and the beginning and the end are those of all of them.
    for part in &program.fragments {
        assert!(slots(program).any(|(slot, _)| program.fragment_of(slot) == Some(part)), "{part}");
    }
    assert_eq!((program.fragment_of(0), program.fragment_of(program.code.len_slots() - 1)), (None, None));
}

/// The same instructions, another one at that slot.
fn changed(program: &Program, at: usize, insn: Insn) -> Code {
    let mut a = Assembler::new();
    for (slot, same) in slots(program) {
        a.mark(program.code.mark_of(slot));
        a.emit(if slot == at { insn } else { same });
    }
    a.finish().unwrap()
}

#[track_caller]
fn rejected(loaded: Result<Loaded, Error>) -> Rejection {
    match loaded {
        Err(Error::Rejected(rejection)) => *rejection,
        other => panic!("{other:?}"),
    }
}

/// Beyond the stack.
fn bad_load() -> Insn {
    let mut a = Assembler::new();
    a.load(R2, u64_at(R10 + 8));
    a.finish().unwrap().insns()[0]
}

/// Wherever the verifier stops, it is said of what that was emitted for.
pub(crate) fn a_rejection_names_its_part() {
    let (mut named, mut others) = (0, 0);
    let (right, mut program) = (program(&parsed()), program(&parsed()));
    for (slot, insn) in slots(&right) {
        if !matches!(
            insn,
            Insn::Alu { .. } | Insn::Load { .. } | Insn::Store { .. } | Insn::CallHelper { .. }
        ) {
            continue;
        }
        program.code = changed(&right, slot, bad_load());
        let rejection = rejected(Loaded::load(&program));
        let at = rejection.at.clone().unwrap();
        assert_eq!((at.slot, rejection.fragment.as_ref()), (slot, program.fragment_of(slot)), "{rejection}");
        let said = rejection.to_string();
        match &rejection.fragment {
            Some(part) => {
                named += 1;
                let span = part.span.as_ref().unwrap();
                assert_eq!(span.excerpt(), part.text);
                let begin = format!(
                    "program select, in {part}, instruction {slot}, `r2 = *(u64 *)(r10 +8)`: the verifier"
                );
                assert!(said.starts_with(&begin) && said.ends_with(&format!("\n{span}")), "{said}");
                assert!(!rejection.is_too_large(), "{rejection:?}");
                // The kernel cites it, too.
                assert!(rejection.log.contains(&format!("\n; {part}")), "{}", rejection.log);
            }
            None => {
                others += 1;
                assert!(
                    said.starts_with(&format!("program select, {}, instruction {slot}", at.line)),
                    "{said}"
                );
                assert_eq!(said.lines().count(), 1);
            }
        }
    }
    assert!(named > 30 && others > 3, "{named} and {others}");
}

/// What was not parsed has no place in a text, but can be said in the same words.
pub(crate) fn what_was_not_parsed_is_named_too() {
    let select =
        Select::new("task").fields(["pid"]).filter(field("comm").like("ab%").and(field("tgid").gt(7777)));
    let mut program = program(&select);
    let (slot, _) = slots(&program).find(|(_, insn)| insn.to_string().contains("0x1e61")).unwrap();
    program.code = changed(&program, slot, bad_load());
    let rejection = rejected(Loaded::load(&program));
    let said = rejection.to_string();
    assert!(said.starts_with("program select, in the condition `tgid > 7777`, instruction "), "{said}");
    assert_eq!((said.lines().count(), rejection.fragment.unwrap().span), (1, None));
}

/// Two parts that are each taken alone, of which the one takes far more than the other.
pub(crate) fn what_is_too_large_is_the_largest_part() {
    let kernel = running();
    // Each search has two jumps for each place where the text may begin, of which verifiers remember 8,192.
    let name = "mm.exe_file.f_path.dentry.d_name.name";
    let arms: Vec<_> = (0..8).map(|nth| format!("when {name} like '%needle_{nth}%' then {nth}")).collect();
    let list = format!("case {} end = 1", arms.join(" "));
    let select =
        |condition: &str| Select::new("task").fields(["pid"]).filter(sql::expression(condition).unwrap());
    let open = |select: &Select| walked(select, Scope::All).map(drop);
    open(&select("tgid > 1")).unwrap();
    for condition in [format!("tgid > 1 and {list}"), format!("{list} or tgid <> 1")] {
        let select = select(&condition);
        let Err(Error::Rejected(rejection)) = open(&select) else { panic!("{condition}") };
        assert!(rejection.is_too_large(), "{rejection:?}");
        let part = rejection.fragment.clone().unwrap();
        assert_eq!(part.span.unwrap().excerpt(), list);
        assert!(
            part.text.ends_with('…') && list.starts_with(part.text.trim_end_matches('…')),
            "{}",
            part.text
        );
        let said = rejection.to_string();
        let lines: Vec<_> = said.lines().collect();
        let begin = "selection: it is too large for the kernel's verifier, most of all the condition `case when mm.exe_file";
        assert!(lines[0].starts_with(begin), "{said}");
        assert!(lines[1].contains("d_name.name like '%needle_0%'") && lines[2].contains("^^^^"), "{said}");
        assert!(rejection.is_too_large());
    }
    // Counting makes no difference.
    let plan = select(&list).plan_count(&kernel).unwrap();
    assert!(
        rejected(Loaded::load(&plan.program(&kernel).unwrap()))
            .fragment
            .unwrap()
            .text
            .starts_with("case when mm.exe")
    );
    // A program with more instructions than a kernel looks at is refused before.
    let long = |_| field("mm.exe_file.f_path.dentry.d_name.name").like("_".repeat(200));
    let any = (0..4000).map(long).reduce(Expr::or).unwrap();
    let select = Select::new("task").fields([Column::from("pid")]).filter(any);
    let error = select.plan(&kernel).unwrap().program(&kernel).unwrap_err();
    assert_eq!(*error.reason, Reason::TooComplex);
}
