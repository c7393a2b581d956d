//! The assembler's speed, in instructions: emitted, encoded, decoded, printed, parsed, finished.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use kwalk_asm::Reg::{R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10};
use kwalk_asm::{
    Assembler, AtomicOp, Endian, Helper, Insn, Isa, Listing, PacketSize, Reloc, SignExtend, SwapOp, assemble,
    disassemble, parse, s8_at, s32_at, u8_at, u16_at, u32_at, u64_at,
};

mod measure;
mod mix;

/// More than a branch predictor remembers, and fewer than a second-level cache holds.
const LONG: usize = 50_000;

/// A program of usual length, which it does remember.
const SHORT: usize = 500;

/// As many as a kernel takes.
const LARGEST: usize = 1_000_000;

const ENDIANS: [(&str, Endian); 2] = [("little", Endian::Little), ("big", Endian::Big)];

fn bytes(c: &mut Criterion) {
    let mut group = c.benchmark_group("bytes");
    for count in [SHORT, LONG] {
        let insns = mix::all(count);
        group.throughput(Throughput::Elements(count as u64));
        for (name, endian) in ENDIANS {
            let mut out = Vec::new();
            group.bench_function(format!("encode/{name}/{count}"), |b| {
                b.iter(|| {
                    out.clear();
                    Insn::encode_all(black_box(&insns), endian, &mut out);
                });
            });
            out.clear();
            Insn::encode_all(&insns, endian, &mut out);
            group.bench_function(format!("decode/{name}/{count}"), |b| {
                b.iter(|| Insn::decode_all(black_box(&out), endian));
            });
        }
    }
    group.finish();
}

fn text(c: &mut Criterion) {
    let insns = mix::all(LONG);
    let mut out = String::new();
    let mut group = c.benchmark_group("text");
    group.throughput(Throughput::Elements(LONG as u64));
    group.bench_function("print", |b| {
        b.iter(|| {
            out.clear();
            write!(out, "{}", Listing::new(black_box(&insns)))
        });
    });
    let text = Listing::new(&insns).to_string();
    group.bench_function("parse", |b| b.iter(|| parse(black_box(&text))));
    let mut bytes = Vec::new();
    Insn::encode_all(&insns, Endian::Little, &mut bytes);
    group.bench_function("assemble", |b| b.iter(|| assemble(black_box(&text), Endian::Little)));
    group.bench_function("disassemble", |b| b.iter(|| disassemble(black_box(&bytes), Endian::Little)));
    group.finish();
}

/// How many instructions [`stretch`] emits.
const STRETCH: usize = 44;

/// A stretch of a program, with most of what the eDSL has.
fn stretch(a: &mut Assembler) {
    let (again, next) = (a.label(), a.label());
    a.mov(R6, R1);
    a.load(R7, u64_at(R6 + 8));
    a.jump_if(R7.eq(0), next);
    a.load(R8, u32_at(R7 + 2480));
    a.load(R9, s32_at(R7 + 2484));
    a.bind(again);
    a.add(R8, 1);
    a.lsh32(R8, 2);
    a.and(R8, R9);
    a.sdiv(R9, 3);
    a.neg(R9);
    a.mov_signed(SignExtend::S16To64, R3, R8);
    a.swap(SwapOp::Be32, R3);
    a.store(u64_at(R10 - 8), R3);
    a.store(u32_at(R10 - 16), 0);
    a.store(u16_at(R10 - 12), R8);
    a.store(u8_at(R10 - 10), 7);
    a.load_reloc(R1, Reloc::Map(0));
    a.address(R2, R10 - 16); // two instructions
    a.call(Helper::MapLookupElem);
    a.jump_if(R0.ne(0).w32(), again);
    a.load(R4, u64_at(R0));
    a.load(R4, s8_at(R4 + 1));
    a.atomic(AtomicOp::FetchAdd, u64_at(R0 + 8), R4);
    a.load_acquire(R5, u32_at(R0 + 16));
    a.store_release(u32_at(R0 + 16), R5);
    a.load_imm64(R3, 0x1122_3344_5566_7788);
    a.xor(R3, R5);
    a.jump_if(R3.sgt(R5), again);
    a.mov32(R3, -1);
    a.load_packet(PacketSize::U16, R3 + 12);
    a.may_goto(next);
    a.call_kfunc(4711, 0);
    a.call_local(next);
    a.mov(R2, R10);
    a.sub(R2, 32);
    a.mov(R3, 24);
    a.load(R1, u64_at(R6));
    a.load(R1, u64_at(R1));
    a.call(Helper::SeqWrite);
    a.jump(next);
    a.arsh(R0, R1);
    a.bind(next);
    a.mov(R0, 0);
    a.exit();
}

/// So many instructions, or a few more.
fn stretches(insns: usize) -> Assembler {
    let mut a = Assembler::new();
    (0..insns.div_ceil(STRETCH)).for_each(|_| stretch(&mut a));
    a
}

fn emit(c: &mut Criterion) {
    assert_eq!(stretches(STRETCH).finish().map(|code| code.insns().len()), Ok(STRETCH));
    let mut group = c.benchmark_group("emit");
    for insns in [10, 1_000].map(|stretches| stretches * STRETCH) {
        group.throughput(Throughput::Elements(insns as u64));
        group.bench_function(BenchmarkId::new("finish and encode", insns), |b| {
            b.iter(|| stretches(black_box(insns)).finish().map(|code| code.encode(Endian::NATIVE, |_| 5)));
        });
    }
    group.finish();
}

/// Every third jumps, one way and the other, to where so many more follow.
fn jumps(insns: usize, distance: usize) -> Assembler {
    let mut a = Assembler::new();
    let labels: Vec<_> = (0..insns / distance).map(|_| a.label()).collect();
    for i in 0..insns {
        if i % distance == 0 {
            if let Some(&label) = labels.get(i / distance) {
                a.bind(label);
            }
        }
        let near = labels[(i / distance + 1).min(labels.len() - 1)];
        match i % 6 {
            0 => a.jump_if(R1.eq(5), near),
            3 => a.jump_if(R2.set(R1), labels[(i / distance).saturating_sub(1)]),
            _ => a.add(R1, R2),
        }
    }
    a
}

fn finish(c: &mut Criterion) {
    let mut group = c.benchmark_group("finish");
    group.throughput(Throughput::Elements(LARGEST as u64)).sample_size(10);
    let cases = [
        ("all jumps reach", 64, Isa::NEWEST),
        ("gotol", 40_000, Isa::NEWEST),
        ("islands", 40_000, Isa::linux(5, 10)),
    ];
    for (name, distance, isa) in cases {
        group.bench_function(name, |b| {
            let new = || jumps(LARGEST, distance);
            b.iter_batched(new, |a| a.finish_for(isa), BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn main() {
    measure::run(&[bytes, text, emit, finish]);
}
