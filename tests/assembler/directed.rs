//! Programs written by hand: each rewrite of the kernel that takes more than an instruction to show, numbers at which
//! something changes, and what the verifier must refuse.

use std::os::fd::AsFd;

use kwalk::btf::{FuncInfo, TypeId};
use kwalk::sys::*;
use kwalk_asm::Reg::*;
use kwalk_asm::{
    AluOp, Assembler, Condition, Decoded, Endian, Helper, Insn, Isa, JumpOp, Operand, SignExtend, Size,
    SwapOp, Wide, Width, program_tag, u8_at, u16_at, u32_at, u64_at,
};

use super::kernel::{self, load, symbol, xlated};
use super::machine;
use super::programs::CORNERS;
use super::rewrites::{bytes, with_ax};
use crate::support::kernel_version;

fn assemble(write: impl FnOnce(&mut Assembler)) -> Vec<Insn> {
    let mut a = Assembler::new();
    write(&mut a);
    a.finish().unwrap().insns().to_vec()
}

#[track_caller]
fn loaded(prog_type: ProgType, insns: &[Insn]) -> ProgFd {
    load(prog_type, &kernel::bytes(insns)).unwrap()
}

/// What comes back of a program.
#[track_caller]
fn back(insns: &[Insn]) -> Vec<Decoded> {
    xlated(&loaded(ProgType::SYSCALL, insns))
}

fn decoded(write: impl FnOnce(&mut Assembler)) -> Vec<Decoded> {
    assemble(write).into_iter().map(Decoded::from).collect()
}

/// A program that gives its two numbers to an instruction, as R2 and R3, and gives back R2.
fn on_two(insns: &[Insn]) -> Vec<Insn> {
    let mut all = assemble(|a| {
        a.load(R2, u64_at(R1 + 0));
        a.load(R3, u64_at(R1 + 8));
    });
    all.extend(insns);
    all.extend(assemble(|a| {
        a.store(u64_at(R1 + 16), R2);
        a.mov(R0, 0);
        a.exit();
    }));
    all
}

/// Runs the instruction on numbers at which something changes; gives how often.
fn on_corners(insns: &[Insn], second: bool) -> usize {
    let insns = on_two(insns);
    let prog = loaded(ProgType::SYSCALL, &insns);
    let seconds = if second { &CORNERS[..] } else { &CORNERS[..1] };
    for left in CORNERS {
        for &right in seconds {
            let mut ctx = [left, right, 0].map(u64::to_ne_bytes).concat();
            let mut expected = ctx.clone();
            bpf(ProgRun { prog: &prog, ctx: &mut ctx }).unwrap();
            machine::run(&insns, &mut expected, &mut []);
            assert_eq!(ctx, expected, "{insns:?} of {left:#x} and {right:#x}");
        }
    }
    CORNERS.len() * seconds.len()
}

pub(crate) fn every_operation_on_numbers_at_which_something_changes() {
    let mut runs = 0;
    let mut immediates: Vec<i32> = CORNERS.map(|corner| corner as i32).into();
    immediates.extend([-2, -64, i32::MIN + 1]);
    immediates.sort();
    immediates.dedup();
    for &width in Width::ALL {
        for &op in AluOp::ALL {
            runs += on_corners(&[Insn::Alu { width, op, dst: R2, src: R3.into() }], true);
            runs += on_corners(&[Insn::Alu { width, op, dst: R2, src: R2.into() }], false);
            for &imm in &immediates {
                let shift = matches!(op, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh);
                let divides = matches!(op, AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod);
                let bits = if width == Width::W64 { 64 } else { 32 };
                if !(shift && !(0..bits).contains(&imm) || divides && imm == 0) {
                    runs += on_corners(&[Insn::Alu { width, op, dst: R2, src: imm.into() }], false);
                }
            }
        }
        runs += on_corners(&[Insn::Neg { width, dst: R2 }], false);
        for &op in JumpOp::ALL {
            let mut jump = |right: Operand, second| {
                let condition = Condition { width, op, left: R2, right };
                let skip = Insn::JumpIf { condition, offset: 2 };
                let value = Insn::LoadWide { dst: R2, value: Wide::Imm(1 << 40 | 7) };
                runs += on_corners(&[skip, value], second);
            };
            jump(R3.into(), true);
            jump(R2.into(), false);
            immediates.iter().for_each(|&imm| jump(imm.into(), false));
        }
    }
    for &extend in SignExtend::ALL {
        runs += on_corners(&[Insn::MovSigned { extend, dst: R2, src: R3 }], true);
    }
    for &op in SwapOp::ALL {
        runs += on_corners(&[Insn::Swap { op, dst: R2 }], false);
    }
    assert!(runs > 30_000, "{runs}");
}

/// What is not reached is taken out, together with the jumps over it.
pub(crate) fn dead_code_is_removed() {
    let sent = assemble(|a| {
        let (never, always, next) = (a.label(), a.label(), a.label());
        a.mov(R0, 1);
        a.jump_if(R0.eq(0), never);
        a.jump_if(R0.eq(1), always);
        a.bind(never);
        a.mov(R0, 2);
        a.bind(always);
        a.jump(next);
        a.bind(next);
        a.exit();
    });
    let left = decoded(|a| {
        a.mov(R0, 1);
        a.exit();
    });
    assert_eq!(back(&sent), left);
}

/// Without a zero extension, R0 would keep its upper half on x86 where the exchange succeeds.
pub(crate) fn a_compare_and_exchange_extends_r0_where_that_matters() {
    let sent = |after: fn(&mut Assembler)| {
        assemble(|a| {
            a.load(R0, u64_at(R1 + 0));
            a.store(u32_at(R10 - 4), R0);
            a.atomic(kwalk_asm::AtomicOp::CmpXchg, u32_at(R10 - 4), R0);
            after(a);
            a.exit();
        })
    };
    // The return value is all of R0.
    let looked_at = sent(|_| ());
    let mut expected: Vec<Decoded> = looked_at.iter().copied().map(Decoded::from).collect();
    let mut zext = bytes(Insn::Alu { width: Width::W32, op: AluOp::Mov, dst: R0, src: R0.into() }.into());
    zext[4..].copy_from_slice(&1i32.to_ne_bytes());
    expected.insert(3, Decoded::Raw(zext));
    assert_eq!(back(&looked_at), expected);

    let forgotten = sent(|a| a.mov(R0, 0));
    let expected: Vec<Decoded> = forgotten.iter().copied().map(Decoded::from).collect();
    assert_eq!(back(&forgotten), expected);
}

/// Maps come back by id; by index they are the same, and only their tags differ.
pub(crate) fn maps_come_back_by_id() {
    let (map, fd, id) = kernel::one_value(16);
    let body = |map: Wide, value: Wide| {
        let mut insns = vec![Insn::LoadWide { dst: R1, value: map }, Insn::LoadWide { dst: R2, value }];
        insns.extend(assemble(|a| {
            a.load(R0, u32_at(R2 + 4));
            a.exit();
        }));
        insns
    };
    let by_fd = body(Wide::MapFd(fd), Wide::MapFdValue { fd, offset: 8 });
    let by_index = body(Wide::MapIdx(0), Wide::MapIdxValue { index: 0, offset: 8 });
    let by_id = body(Wide::MapFd(id as i32), Wide::MapFdValue { fd: id as i32, offset: 8 });
    let by_id: Vec<Decoded> = by_id.into_iter().map(Decoded::from).collect();
    let mut value = [0; 16];
    value[12..].copy_from_slice(&0x1234_5678u32.to_ne_bytes());
    bpf(MapUpdateElem { map: &map, key: &[0; 4], value: &value, flags: ElemFlags::empty() }).unwrap();
    let fds = [map.as_fd()];
    let mut tags = Vec::new();
    for insns in [by_fd, by_index] {
        // A map by index is a relocation to the assembler, which a loader fills or leaves.
        let mut bytes = Vec::new();
        Insn::encode_all(&insns, Endian::NATIVE, &mut bytes);
        let command = ProgLoad::new(ProgType::SYSCALL, &bytes, c"GPL");
        let prog = bpf(ProgLoad { flags: ProgFlags::SLEEPABLE, fd_array: &fds, ..command }).unwrap();
        assert_eq!(xlated(&prog), by_id);
        assert_eq!(prog.map_ids().unwrap(), [id]);
        assert_eq!(bpf(ProgRun { prog: &prog, ctx: &mut [] }).unwrap(), 0x1234_5678);
        let tag = prog.info().unwrap().tag;
        assert_eq!(tag, program_tag(&bytes, Endian::NATIVE, kernel::tag_hash()));
        tags.push(tag);
    }
    assert_ne!(tags[0], tags[1]);
}

/// A counter on the stack, and the time: what makes sure that the loop ends, with instructions and a register that
/// programs don't have.
pub(crate) fn may_goto_counts() {
    let sent = assemble(|a| {
        let (top, out) = (a.label(), a.label());
        a.mov(R0, 0);
        a.bind(top);
        a.may_goto(out);
        a.add(R0, 1);
        a.jump_if(R0.lt(7), top);
        a.bind(out);
        a.exit();
    });
    let prog = loaded(ProgType::SYSCALL, &sent);
    assert_eq!(bpf(ProgRun { prog: &prog, ctx: &mut [] }).unwrap(), 7);
    let back = xlated(&prog);
    assert!(!back.iter().any(|insn| matches!(insn, Decoded::Insn(Insn::MayGoto { .. }))), "{back:?}");
    // r11 = *(u64 *)(r10 - 16 or so), and back.
    let is_ax = |insn: &Decoded, dst, src| match *insn {
        Decoded::Raw(mut raw) => {
            raw[2..4].fill(0);
            let (mut load, mut store) = (
                bytes(with_ax(
                    Insn::Load { size: Size::U64, dst: R0, base: R10, offset: 0 }.into(),
                    true,
                    false,
                )),
                bytes(with_ax(
                    Insn::Store { size: Size::U64, base: R10, offset: 0, src: R0.into() }.into(),
                    false,
                    true,
                )),
            );
            load[2..4].fill(0);
            store[2..4].fill(0);
            dst && raw == load || src && raw == store
        }
        Decoded::Insn(_) => false,
    };
    assert!(back.iter().any(|insn| is_ax(insn, true, false)), "{back:?}");
    assert!(back.iter().any(|insn| is_ax(insn, false, true)), "{back:?}");
    // The rest is as it was.
    assert_eq!(back.last(), Some(&Insn::Exit.into()));
}

/// Some helpers are replaced with what they do: an array's element is a multiplication away.
pub(crate) fn a_look_up_in_an_array_is_inlined() {
    let map = bpf(MapCreate::new(MapType::ARRAY, 4, 8, 3)).unwrap();
    let mut insns = assemble(|a| {
        a.load(R0, u32_at(R1 + 0));
        a.store(u32_at(R10 - 4), R0);
        a.address(R2, R10 - 4);
    });
    insns.push(Insn::LoadWide { dst: R1, value: Wide::MapFd(std::os::fd::AsRawFd::as_raw_fd(&map)) });
    insns.extend(assemble(|a| {
        let end = a.label();
        a.call(Helper::MapLookupElem);
        a.jump_if(R0.eq(0), end);
        a.load(R0, u64_at(R0 + 0));
        a.bind(end);
        a.exit();
    }));
    for (key, value) in (0u32..3).zip([7u64, 8, 9]) {
        let (key, value) = (key.to_ne_bytes(), value.to_ne_bytes());
        bpf(MapUpdateElem { map: &map, key: &key, value: &value, flags: ElemFlags::empty() }).unwrap();
    }
    let prog = loaded(ProgType::SYSCALL, &insns);
    let found = [0u32, 2, 3].map(|key| bpf(ProgRun { prog: &prog, ctx: &mut key.to_ne_bytes() }).unwrap());
    assert_eq!(found, [7, 9, 0]);
    let back = xlated(&prog);
    assert!(!back.iter().any(|insn| matches!(insn, Decoded::Insn(Insn::CallHelper { .. }))), "{back:?}");
    let Decoded::Insn(Insn::LoadWide { dst: R1, value: Wide::MapFd(id) }) = back[4] else {
        panic!("{back:?}")
    };
    assert_eq!(id as u32, map.info().unwrap().id);
    // Behind the address of the array: the index, and the end of the array that it is compared with.
    assert_eq!(back[6], Insn::Load { size: Size::U32, dst: R0, base: R2, offset: 0 }.into());
    let Decoded::Insn(Insn::JumpIf { condition, .. }) = back[7] else { panic!("{back:?}") };
    assert_eq!(condition, R0.ge(3));
}

/// What a socket filter calls its context is another structure in the kernel.
pub(crate) fn the_context_of_a_filter_is_another_structure() {
    let sent = assemble(|a| {
        a.load(R0, u32_at(R1 + 0)); // __sk_buff.len
        a.exit();
    });
    let back = xlated(&loaded(ProgType::SOCKET_FILTER, &sent));
    let kernel = KernelBtf::open().unwrap();
    let btf = btf_rs::Btf::from_bytes(kernel.bytes()).unwrap();
    let types = btf.resolve_types_by_name("sk_buff").unwrap();
    let len = types.iter().find_map(|found| match found {
        btf_rs::Type::Struct(found) => {
            let named = |member: &&btf_rs::Member| btf.resolve_name(*member).is_ok_and(|name| name == "len");
            found.members.iter().find(named).map(|member| member.bit_offset() / 8)
        }
        _ => None,
    });
    let offset = len.unwrap() as i16;
    assert_ne!(offset, 0);
    let expected = decoded(|a| {
        a.load(R0, u32_at(R1 + i32::from(offset)));
        a.exit();
    });
    assert_eq!(back, expected);
}

/// Loads from a packet are sequences in the kernel; what the program wrote is gone.
pub(crate) fn packet_loads_are_expanded() {
    for (size, offset) in
        [(kwalk_asm::PacketSize::U8, 0), (kwalk_asm::PacketSize::U16, 12), (kwalk_asm::PacketSize::U32, 26)]
    {
        for index in [None, Some(R7)] {
            let mut sent = assemble(|a| {
                a.mov(R6, R1);
                a.load(R7, u32_at(R6 + 0));
            });
            sent.push(Insn::LoadPacket { size, index, offset });
            sent.push(Insn::Exit);
            let back = xlated(&loaded(ProgType::SOCKET_FILTER, &sent));
            let is_packet = |insn: &Decoded| matches!(insn, Decoded::Insn(Insn::LoadPacket { .. }));
            assert!(!back.iter().any(is_packet) && back.len() > sent.len(), "{back:?}");
        }
    }
}

/// Kernel functions are called by their addresses, relative like helpers'.
pub(crate) fn a_kernel_function_becomes_its_address() {
    let kernel = KernelBtf::open().unwrap();
    let btf = btf_rs::Btf::from_bytes(kernel.bytes()).unwrap();
    let id = |name: &str| {
        let ids = btf.resolve_ids_by_name(name).unwrap();
        ids.into_iter().find(|id| matches!(btf.resolve_type_by_id(*id), Ok(btf_rs::Type::Func(_)))).unwrap()
    };
    let sent = assemble(|a| {
        a.call_kfunc(id("bpf_rcu_read_lock"), 0);
        a.call_kfunc(id("bpf_rcu_read_unlock"), 0);
        a.mov(R0, 0);
        a.exit();
    });
    let back = back(&sent);
    let address = |name| symbol(name).unwrap().wrapping_sub(symbol("__bpf_call_base").unwrap()) as u32;
    assert_eq!(
        back[..2],
        [
            Insn::CallKfunc { btf_id: address("bpf_rcu_read_lock"), btf_fd_offset: 0 }.into(),
            Insn::CallKfunc { btf_id: address("bpf_rcu_read_unlock"), btf_fd_offset: 0 }.into(),
        ]
    );
}

/// BTF with one type of interest, `static int f(void)`, which is the third.
fn function_btf() -> Vec<u8> {
    let types: [u32; 10] = [1, 1 << 24, 4, 1 << 24 | 32, 0, 13 << 24, 1, 5, 12 << 24, 2];
    let names = b"\0int\0f\0";
    let lengths = [24, 0, 40, 40, names.len() as u32];
    let mut btf = [&0xeb9fu16.to_ne_bytes()[..], &[1, 0]].concat();
    btf.extend(lengths.iter().chain(&types).flat_map(|word| word.to_ne_bytes()));
    btf.extend(names);
    btf
}

/// A helper is handed a function of the program. Such functions have types.
pub(crate) fn a_function_is_called_back() {
    let mut a = Assembler::new();
    let function = a.label();
    a.store(u64_at(R10 - 8), 0);
    a.mov(R1, 5);
    a.load_func(R2, function);
    a.address(R3, R10 - 8);
    a.mov(R4, 0);
    a.call(Helper::Loop);
    a.load(R0, u64_at(R10 - 8));
    a.exit();
    a.bind(function); // (index, context)
    a.load(R3, u64_at(R2 + 0));
    a.add(R3, R1);
    a.store(u64_at(R2 + 0), R3);
    a.mov(R0, 0);
    a.exit();
    let code = a.finish().unwrap();
    let bytes = code.encode(Endian::NATIVE, |_| 0);
    let btf = bpf(BtfLoad { btf: &function_btf(), log: None }).unwrap();
    let func_info: Vec<FuncInfo> =
        code.functions().iter().map(|&slot| FuncInfo { insn_off: slot as u32, type_id: TypeId(3) }).collect();
    let btf = Some(ProgBtf { btf: &btf, func_info: &func_info, line_info: &[] });
    let load = ProgLoad::new(ProgType::SYSCALL, &bytes, c"GPL");
    let prog = bpf(ProgLoad { flags: ProgFlags::SLEEPABLE, btf, ..load }).unwrap();
    assert_eq!(bpf(ProgRun { prog: &prog, ctx: &mut [] }).unwrap(), 10);
    assert_eq!(prog.info().unwrap().tag, code.tag(Endian::NATIVE, kernel::tag_hash()));

    let back = xlated(&prog);
    let sent: Vec<Decoded> = code.insns().iter().copied().map(Decoded::from).collect();
    // Up to the address, and from behind the helper, which is inlined as a loop.
    assert_eq!(back[..2], sent[..2]);
    assert!(back.ends_with(&sent[sent.len() - 7..]), "{back:?}");
    assert!(back.len() > sent.len(), "{back:?}");
    // The number of the function is in the half that programs leave empty.
    let function = back.len() as i32 - 5;
    let mut load = Vec::new();
    let value = Wide::Func { offset: function - 3 };
    Insn::LoadWide { dst: R2, value }.encode(Endian::NATIVE, &mut load);
    load[12..].copy_from_slice(&1i32.to_ne_bytes());
    assert_eq!(back[2..4], Decoded::all(&load, Endian::NATIVE).unwrap());
}

/// Jumps too long for 16 bits, with the instructions of new kernels and of old ones.
pub(crate) fn long_jumps_lead_where_they_should() {
    for isa in [Isa::NEWEST, Isa::linux(6, 5)] {
        let mut a = Assembler::new();
        let (end, back, skip) = (a.label(), a.label(), a.label());
        a.mov(R0, 0);
        a.load(R2, u64_at(R1 + 0));
        a.jump_if(R2.eq(1), end);
        a.jump(skip);
        a.bind(back);
        a.mov(R0, 7);
        a.exit();
        a.bind(skip);
        (0..40_000).for_each(|_| a.add(R0, 1));
        a.jump_if(R2.set(2), back);
        a.bind(end);
        a.exit();
        let code = a.finish_for(isa).unwrap();
        assert!(
            code.insns().iter().any(|insn| matches!(insn, Insn::JumpLong { .. })) == (isa == Isa::NEWEST)
        );
        let bytes = code.encode(Endian::NATIVE, |_| 0);
        let prog = load(ProgType::SYSCALL, &bytes).unwrap();
        assert_eq!(prog.info().unwrap().tag, code.tag(Endian::NATIVE, kernel::tag_hash()));
        for (number, result) in [(1u64, 0), (2, 7), (4, 40_000)] {
            assert_eq!(bpf(ProgRun { prog: &prog, ctx: &mut number.to_ne_bytes() }).unwrap(), result);
        }
    }
}

/// A kernel without `gotol` takes a program of more than 32,767 slots in which hundreds of conditions lead further than
/// 16 bits can say, forward and back, each to a label of its own.
pub(crate) fn many_long_jumps_lead_where_they_should_without_gotol() {
    const CASES: i32 = 500;
    let mut a = Assembler::new();
    let cases: Vec<_> = (0..CASES).map(|_| [a.label(), a.label()]).collect();
    a.load(R2, u64_at(R1 + 0));
    a.mov(R0, 0);
    for (case, [far, near]) in (0..).zip(&cases) {
        a.jump_if(R2.eq(case), *far);
        a.bind(*near);
        a.add(R0, 1);
    }
    (0..40_000).for_each(|_| a.add(R0, 1));
    a.exit();
    for (case, [far, near]) in (0..).zip(&cases) {
        a.bind(*far);
        a.mov(R0, 1_000_000 + case * 1_000);
        a.jump_if(R2.lt(1), *near);
        a.jump_if(R2.ne(1), *near);
        a.exit();
    }
    let code = a.finish_for(Isa::linux(6, 5)).unwrap();
    assert!(!code.insns().iter().any(|insn| matches!(insn, Insn::JumpLong { .. })));
    let prog = load(ProgType::SYSCALL, &code.encode(Endian::NATIVE, |_| 0)).unwrap();
    for number in [0, 1, 2, 250, 498, 499, CASES, 1 << 30, -1] {
        let mut ctx = i64::from(number).to_ne_bytes();
        let result = match number {
            1 => 1_001_000,
            0..CASES => 1_000_000 + number * 1_000 + (CASES - number) + 40_000,
            _ => CASES + 40_000,
        };
        let run = bpf(ProgRun { prog: &prog, ctx: &mut ctx }).unwrap();
        assert_eq!(run, result as u32, "of {number}");
    }
}

/// The verifier looks: what can be written and must not be loaded is refused, and for that reason.
pub(crate) fn what_the_verifier_must_refuse_is_refused() {
    type Case = (&'static str, fn(&mut Assembler));
    let cases: &[Case] = &[
        ("R2 !read_ok", |a| a.mov(R0, R2)),
        ("invalid write to stack R10 off=-520 size=8", |a| a.store(u64_at(R10 - 520), 0)),
        ("invalid write to stack R10 off=0 size=8", |a| a.store(u64_at(R10 + 0), 0)),
        ("misaligned stack access off", |a| a.store(u64_at(R10 - 12), 0)),
        ("frame pointer is read only", |a| a.mov(R10, 0)),
        ("div by zero", |a| {
            a.mov(R0, 1);
            a.div(R0, 0);
        }),
        ("invalid shift 64", |a| {
            a.mov(R0, 1);
            a.lsh(R0, 64);
        }),
        ("invalid shift 32", |a| {
            a.mov(R0, 1);
            a.arsh32(R0, 32);
        }),
        ("R0 invalid mem access 'scalar'", |a| {
            a.mov(R0, 1);
            a.load(R0, u8_at(R0 + 0));
        }),
        ("BPF_ATOMIC stores into R1 ctx is not allowed", |a| {
            a.mov(R0, 1);
            a.atomic(kwalk_asm::AtomicOp::Add, u64_at(R1 + 0), R0);
        }),
        ("BPF_ATOMIC loads from R1 ctx is not allowed", |a| a.load_acquire(R0, u16_at(R1 + 0))),
        ("infinite loop detected", |a| {
            let top = a.label();
            a.mov(R0, 0);
            a.bind(top);
            a.mov(R0, 0);
            a.jump_if(R0.eq(0), top);
        }),
        ("invalid func", |a| a.emit(Insn::CallHelper { helper: kwalk_asm::HelperId(4096) })),
        ("BPF_LD_[ABS|IND] instructions not allowed", |a| a.load_packet(kwalk_asm::PacketSize::U8, 0)),
        ("addr_space_cast", |a| a.addr_space_cast(R0, R1, 0, 1)),
        ("unreachable insn 1", |a| a.exit()),
    ];
    for (reason, write) in cases {
        let insns = assemble(|a| {
            write(a);
            a.exit();
        });
        let said = load(ProgType::SYSCALL, &kernel::bytes(&insns)).expect_err(reason);
        assert!(said.contains(reason), "not {reason:?}, but {said}");
    }

    // What the assembler refuses itself.
    let raw = |insns: &[Insn]| {
        let mut bytes = Vec::new();
        Insn::encode_all(insns, Endian::NATIVE, &mut bytes);
        load(ProgType::SYSCALL, &bytes).expect_err("refused")
    };
    let wide = Insn::LoadWide { dst: R0, value: Wide::Imm(0) };
    let into = Insn::JumpIf { condition: R1.eq(0), offset: 1 };
    let said = raw(&[into, wide, Insn::Exit]);
    assert!(said.contains("jump into the middle of ldimm64 insn"), "{said}");
    let said = raw(&[Insn::Jump { offset: 5 }, Insn::Exit]);
    assert!(said.contains("jump out of range"), "{said}");
    if kernel_version() < (6, 19) {
        raw(&[Insn::JumpReg { target: R0 }, Insn::Exit]);
    }
}
