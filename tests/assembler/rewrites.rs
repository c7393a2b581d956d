//! What the kernel makes of a program that it loads: every rewrite that programs of these tests meet, and why.

use std::sync::LazyLock;

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{AluOp, AtomicOp, Condition, Decoded, Endian, Helper, Insn, JumpOp, Operand, Wide, Width};

use crate::support::{kernel_version, running};

/// A rewrite.
pub(crate) struct Rewrite {
    pub(crate) what: &'static str,
    /// What becomes of an instruction; `None` if the rewrite isn't about it. Jumps within lead to where they should.
    pub(crate) apply: fn(&Insn, &Context) -> Option<Vec<Decoded>>,
}

/// What is known of the program beside its instructions.
pub(crate) struct Context {
    /// The id of the map whose descriptor or index the program has.
    pub(crate) map_id: u32,
    /// The address of a helper, relative to that of `__bpf_call_base`.
    pub(crate) helper: fn(Helper) -> i32,
    /// The number of the function at a slot.
    pub(crate) functions: Vec<usize>,
    /// The slot of the instruction.
    pub(crate) slot: usize,
}

/// Each with its reason. What no row is about must come back as it was sent.
pub(crate) const REWRITES: &[Rewrite] = &[
    Rewrite {
        // The kernel counts on no division by zero on any machine: `chk_and_div` and `chk_and_mod` of
        // `do_misc_fixups` in kernel/bpf/verifier.c.
        what: "division by a register is guarded against 0",
        apply: |insn, _| match *insn {
            Insn::Alu { width, op: AluOp::Div, dst, src: Operand::Reg(src) } => Some(vec![
                jump_if(width, src, JumpOp::Ne, 0, 2),
                alu(Width::W32, AluOp::Xor, dst, dst),
                Insn::Jump { offset: 1 }.into(),
                (*insn).into(),
            ]),
            Insn::Alu { width: Width::W64, op: AluOp::Mod, src: Operand::Reg(src), .. } => {
                Some(vec![jump_if(Width::W64, src, JumpOp::Eq, 0, 1), (*insn).into()])
            }
            Insn::Alu { width: Width::W32, op: AluOp::Mod, dst, src: Operand::Reg(src) } => Some(vec![
                jump_if(Width::W32, src, JumpOp::Eq, 0, 2),
                (*insn).into(),
                Insn::Jump { offset: 1 }.into(),
                alu(Width::W32, AluOp::Mov, dst, dst),
            ]),
            _ => None,
        },
    },
    Rewrite {
        // The same for 0 and -1 at once (the smallest number by -1 traps on x86), in the register AX, which programs
        // don't have.
        what: "signed division by a register is guarded against 0 and -1",
        apply: |insn, _| {
            let Insn::Alu { width, op: op @ (AluOp::Sdiv | AluOp::Smod), dst, src: Operand::Reg(src) } =
                *insn
            else {
                return None;
            };
            let mut all = vec![
                with_ax(alu(Width::W64, AluOp::Mov, R0, src), true, false),
                with_ax(alu(width, AluOp::Add, R0, 1), true, false),
            ];
            let jump = |op, right, offset| with_ax(jump_if(width, R0, op, right, offset), true, false);
            if op == AluOp::Sdiv {
                all.extend([
                    jump(JumpOp::Gt, 1, 4),
                    jump(JumpOp::Eq, 0, 1),
                    alu(width, AluOp::Mov, dst, 0),
                    Insn::Neg { width, dst }.into(),
                    Insn::Jump { offset: 1 }.into(),
                    (*insn).into(),
                ]);
            } else {
                all.extend([
                    jump(JumpOp::Gt, 1, 3),
                    jump(JumpOp::Eq, 1, if width == Width::W64 { 3 } else { 4 }),
                    alu(Width::W32, AluOp::Mov, dst, 0),
                    Insn::Jump { offset: 1 }.into(),
                    (*insn).into(),
                ]);
                if width == Width::W32 {
                    all.extend([Insn::Jump { offset: 1 }.into(), alu(Width::W32, AluOp::Mov, dst, dst)]);
                }
            }
            Some(all)
        },
    },
    Rewrite {
        // x86 traps at the smallest number divided by -1.
        what: "signed division by -1 becomes a negation, its remainder 0",
        apply: |insn, _| match *insn {
            Insn::Alu { width, op: AluOp::Sdiv, dst, src: Operand::Imm(-1) } => {
                Some(vec![Insn::Neg { width, dst }.into()])
            }
            Insn::Alu { op: AluOp::Smod, dst, src: Operand::Imm(-1), .. } => {
                Some(vec![alu(Width::W32, AluOp::Mov, dst, 0)])
            }
            _ => None,
        },
    },
    Rewrite {
        // Some machines load R0 only where the comparison fails: `opt_subreg_zext_lo32_rnd_hi32`. Where nothing looks
        // at the upper half of R0 before it is written again, it isn't done: programs here do look. (Machines whose 32-bit instructions
        // don't zero the upper half get the same behind all of these; x86-64 and arm64 do zero it.)
        what: "a 32-bit compare-and-exchange zero-extends R0",
        apply: |insn, _| match insn {
            Insn::Atomic { op: AtomicOp::CmpXchg, width: Width::W32, .. } => {
                // `w0 = w0` with an immediate of 1: `BPF_ZEXT_REG`.
                let mut zext = bytes(alu(Width::W32, AluOp::Mov, R0, R0));
                zext[4..].copy_from_slice(&1i32.to_ne_bytes());
                Some(vec![(*insn).into(), Decoded::Raw(zext)])
            }
            _ => None,
        },
    },
    Rewrite {
        // What a program has in it are addresses of maps; user space gets ids (`bpf_insn_prepare_dump` in
        // kernel/bpf/syscall.c).
        what: "a map's descriptor or index becomes its id",
        apply: |insn, context| {
            let fd = context.map_id as i32;
            let Insn::LoadWide { dst, value } = *insn else { return None };
            let value = match value {
                Wide::MapFd(_) | Wide::MapIdx(_) => Wide::MapFd(fd),
                Wide::MapFdValue { offset, .. } | Wide::MapIdxValue { offset, .. } => {
                    Wide::MapFdValue { fd, offset }
                }
                _ => return None,
            };
            Some(vec![Insn::LoadWide { dst, value }.into()])
        },
    },
    Rewrite {
        // The address of the helper, relative to `__bpf_call_base`; 0 for users from whom the kernel hides addresses.
        what: "a helper's number becomes its address",
        apply: |insn, context| match insn {
            Insn::CallHelper { helper } => {
                let mut call = bytes((*insn).into());
                call[4..].copy_from_slice(&(context.helper)(helper.known()?).to_ne_bytes());
                Some(decoded(&call))
            }
            _ => None,
        },
    },
    Rewrite {
        // Functions are compiled one by one (`jit_subprogs`): the immediate has the number of the one called, and the
        // offset how far away it was. Without a JIT it has the address of an interpreter, which no symbol is named for.
        what: "a local call has the number of the function",
        apply: |insn, context| match *insn {
            Insn::CallLocal { offset } => {
                let target = (context.slot as i64 + 1 + i64::from(offset)) as usize;
                let number = context.functions.iter().position(|&start| start == target)?;
                let mut call = bytes((*insn).into());
                call[4..].copy_from_slice(&(number as i32).to_ne_bytes());
                // The offset is that among rewritten instructions, which whoever compares fills in.
                Some(vec![Decoded::Raw(call)])
            }
            _ => None,
        },
    },
];

fn alu(width: Width, op: AluOp, dst: Reg, src: impl Into<Operand>) -> Decoded {
    Insn::Alu { width, op, dst, src: src.into() }.into()
}

fn jump_if(width: Width, left: Reg, op: JumpOp, right: i32, offset: i16) -> Decoded {
    let condition = Condition { width, op, left, right: right.into() };
    Insn::JumpIf { condition, offset }.into()
}

pub(crate) fn bytes(insn: Decoded) -> [u8; 8] {
    let mut bytes = Vec::new();
    insn.encode(Endian::NATIVE, &mut bytes);
    bytes.try_into().expect("a single slot")
}

fn decoded(bytes: &[u8]) -> Vec<Decoded> {
    Decoded::all(bytes, Endian::NATIVE).unwrap()
}

/// The number of the register that the kernel keeps for itself: 12 has been seen in 7.2 and later.
fn ax() -> u8 {
    if kernel_version() < (7, 2) { 11 } else { 12 }
}

/// The same instruction with AX for its registers.
pub(crate) fn with_ax(insn: Decoded, dst: bool, src: bool) -> Decoded {
    let mut bytes = bytes(insn);
    let (low, high) = match Endian::NATIVE {
        Endian::Little => (dst, src),
        Endian::Big => (src, dst),
    };
    if low {
        bytes[1] = bytes[1] & 0xf0 | ax();
    }
    if high {
        bytes[1] = bytes[1] & 0x0f | ax() << 4;
    }
    Decoded::Raw(bytes)
}

/// Whether `got` is what the kernel makes of `sent`, by the table and nothing else; gives how often each of its rows
/// was used.
pub(crate) fn compare(sent: &[Insn], got: &[Decoded], context: Context) -> Result<Vec<usize>, String> {
    let mut context = context;
    let mut used = vec![0; REWRITES.len()];
    // Of each instruction that was sent, the slot it began at and the one it begins at; and of those that lead
    // somewhere, where in `got` they are.
    let mut starts = Vec::with_capacity(sent.len() + 1);
    let mut leading = Vec::new();
    let mut got = got.iter().copied().peekable();
    let (mut old, mut new) = (0, 0);
    for insn in sent {
        starts.push((old, new));
        context.slot = old;
        let row = REWRITES.iter().position(|row| (row.apply)(insn, &context).is_some());
        let wanted = row.and_then(|row| (REWRITES[row].apply)(insn, &context));
        let wanted = wanted.unwrap_or_else(|| vec![(*insn).into()]);
        if let Some(row) = row {
            used[row] += 1;
        }
        for wanted in &wanted {
            let Some(&found) = got.peek() else { return Err(format!("{insn:?} at {old} is missing")) };
            got.next();
            match (insn.relative(), offset(&found)) {
                (Some(distance), Some(is)) => {
                    leading.push((new, is, old as i64 + 1 + i64::from(distance)));
                    if without_offset(*wanted) != without_offset(found) {
                        return Err(format!("{insn:?} at {old} became {found:?}, not {wanted:?}"));
                    }
                }
                _ if found != *wanted => {
                    return Err(format!("{insn:?} at {old} became {found:?}, not {wanted:?}"));
                }
                _ => {}
            }
            new += found.slots();
        }
        old += insn.slots();
    }
    if let Some(more) = got.next() {
        return Err(format!("more than was sent: {more:?}"));
    }
    for (from, distance, to) in leading {
        let start = starts.iter().find(|&&(old, _)| old as i64 == to).map(|&(_, new)| new);
        let is = from as i64 + 1 + i64::from(distance);
        if start.map(|start| start as i64) != Some(is) {
            return Err(format!("the jump at {from} leads to {is}, not {start:?}"));
        }
    }
    Ok(used)
}

/// How far a jump or a local call leads, as the kernel gives it back.
fn offset(decoded: &Decoded) -> Option<i32> {
    match decoded {
        Decoded::Insn(insn) => insn.relative(),
        Decoded::Raw([0x85, _, low, high, ..]) => Some(i16::from_ne_bytes([*low, *high]).into()),
        Decoded::Raw(_) => None,
    }
}

fn without_offset(decoded: Decoded) -> [u8; 8] {
    let mut bytes = bytes(decoded);
    bytes[2..4].fill(0);
    static HAS_JIT: LazyLock<bool> = LazyLock::new(|| running().has_jit);
    match decoded {
        Decoded::Insn(Insn::JumpLong { .. } | Insn::CallLocal { .. }) => bytes[4..].fill(0),
        Decoded::Raw([0x85, ..]) if !*HAS_JIT => bytes[4..].fill(0),
        _ => {}
    }
    bytes
}
