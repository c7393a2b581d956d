//! What is written, and the bytes that must come out. The expected bytes are those of another assembler (LLVM 22), or
//! where it lacks the instruction or its text, of RFC 9669's tables read by hand.

use kwalk_asm::Reg::*;
use kwalk_asm::{
    AluOp, Assembler, AtomicOp, Condition, Endian, Helper, HelperId, Insn, JumpOp, Operand, PacketSize,
    Reloc, SignExtend, SwapOp, Wide, Width, s8_at, s16_at, s32_at, u8_at, u16_at, u32_at, u64_at,
};

/// The assembly text, the same in Rust, its bytes with the lowest first, its bytes with the highest first.
type Vector = (&'static str, fn(&mut Assembler), &'static str, &'static str);

#[rustfmt::skip]
const VECTORS: &[Vector] = &[
    ("r1 += 8",                  |a| a.add(R1, 8),                     "07 01 00 00 08 00 00 00", "07 10 00 00 00 00 00 08"),
    ("r9 -= -2",                 |a| a.sub(R9, -2),                    "17 09 00 00 fe ff ff ff", "17 90 00 00 ff ff ff fe"),
    ("w3 ^= w7",                 |a| a.xor32(R3, R7),                  "ac 73 00 00 00 00 00 00", "ac 37 00 00 00 00 00 00"),
    ("r10 = r2",                 |a| a.mov(R10, R2),                   "bf 2a 00 00 00 00 00 00", "bf a2 00 00 00 00 00 00"),
    ("r1 s/= 258",               |a| a.sdiv(R1, 258),                  "37 01 01 00 02 01 00 00", "37 10 00 01 00 00 01 02"),
    ("w1 s%= w2",                |a| a.smodulo32(R1, R2),              "9c 21 01 00 00 00 00 00", "9c 12 00 01 00 00 00 00"),
    ("r5 = -r5",                 |a| a.neg(R5),                        "87 05 00 00 00 00 00 00", "87 50 00 00 00 00 00 00"),
    ("w5 = -w5",                 |a| a.neg32(R5),                      "84 05 00 00 00 00 00 00", "84 50 00 00 00 00 00 00"),

    ("r1 = *(u8 *)(r2 + 1)",     |a| a.load(R1, u8_at(R2 + 1)),        "71 21 01 00 00 00 00 00", "71 12 00 01 00 00 00 00"),
    ("r1 = *(u16 *)(r2 - 2)",    |a| a.load(R1, u16_at(R2 - 2)),       "69 21 fe ff 00 00 00 00", "69 12 ff fe 00 00 00 00"),
    ("r1 = *(u32 *)(r2 + 258)",  |a| a.load(R1, u32_at(R2 + 258)),     "61 21 02 01 00 00 00 00", "61 12 01 02 00 00 00 00"),
    ("r6 = *(u64 *)(r1 - 32768)",|a| a.load(R6, u64_at(R1 - 32768)),   "79 16 00 80 00 00 00 00", "79 61 80 00 00 00 00 00"),
    ("r6 = *(u64 *)(r1 + 32767)",|a| a.load(R6, u64_at(R1 + 32767)),   "79 16 ff 7f 00 00 00 00", "79 61 7f ff 00 00 00 00"),
    ("r1 = *(u64 *)(r2 + 0)",    |a| a.load(R1, u64_at(R2)),           "79 21 00 00 00 00 00 00", "79 12 00 00 00 00 00 00"),
    ("*(u8 *)(r10 - 1) = r3",    |a| a.store(u8_at(R10 - 1), R3),      "73 3a ff ff 00 00 00 00", "73 a3 ff ff 00 00 00 00"),
    ("*(u16 *)(r10 - 2) = r3",   |a| a.store(u16_at(R10 - 2), R3),     "6b 3a fe ff 00 00 00 00", "6b a3 ff fe 00 00 00 00"),
    ("*(u32 *)(r10 - 4) = r3",   |a| a.store(u32_at(R10 - 4), R3),     "63 3a fc ff 00 00 00 00", "63 a3 ff fc 00 00 00 00"),
    ("*(u64 *)(r10 - 8) = r3",   |a| a.store(u64_at(R10 - 8), R3),     "7b 3a f8 ff 00 00 00 00", "7b a3 ff f8 00 00 00 00"),
    ("*(u8 *)(r10 - 1) = 7",     |a| a.store(u8_at(R10 - 1), 7),       "72 0a ff ff 07 00 00 00", "72 a0 ff ff 00 00 00 07"),
    ("*(u16 *)(r10 - 2) = 7",    |a| a.store(u16_at(R10 - 2), 7),      "6a 0a fe ff 07 00 00 00", "6a a0 ff fe 00 00 00 07"),
    ("*(u32 *)(r10 - 4) = 7",    |a| a.store(u32_at(R10 - 4), 7),      "62 0a fc ff 07 00 00 00", "62 a0 ff fc 00 00 00 07"),
    ("*(u64 *)(r10 - 8) = -1",   |a| a.store(u64_at(R10 - 8), -1),     "7a 0a f8 ff ff ff ff ff", "7a a0 ff f8 ff ff ff ff"),

    ("r1 = 0x123456789abcdef0 ll", |a| a.load_imm64(R1, 0x1234_5678_9abc_def0),
        "18 01 00 00 f0 de bc 9a 00 00 00 00 78 56 34 12", "18 10 00 00 9a bc de f0 00 00 00 00 12 34 56 78"),
    ("r1 = map_by_fd(9)",        |a| a.load_reloc(R1, Reloc::Map(2)),
        "18 11 00 00 09 00 00 00 00 00 00 00 00 00 00 00", "18 11 00 00 00 00 00 09 00 00 00 00 00 00 00 00"),
    ("r3 = map_val(map_by_fd(9)) + 16", |a| a.load_reloc(R3, Reloc::MapValue { index: 2, offset: 16 }),
        "18 23 00 00 09 00 00 00 00 00 00 00 10 00 00 00", "18 32 00 00 00 00 00 09 00 00 00 00 00 00 00 10"),

    ("call 126",                 |a| a.call(Helper::SeqPrintf),        "85 00 00 00 7e 00 00 00", "85 00 00 00 00 00 00 7e"),
    ("call 4096",                |a| a.call(HelperId(4096)),           "85 00 00 00 00 10 00 00", "85 00 00 00 00 00 10 00"),
    ("call kfunc 258 of fd 3",   |a| a.call_kfunc(258, 3),             "85 20 03 00 02 01 00 00", "85 02 00 03 00 00 01 02"),
    ("exit",                     |a| a.exit(),                         "95 00 00 00 00 00 00 00", "95 00 00 00 00 00 00 00"),
    ("goto +258",                |a| a.emit(Insn::Jump { offset: 258 }), "05 00 02 01 00 00 00 00", "05 00 01 02 00 00 00 00"),
    ("if r6 == 0 goto +2",       |a| a.emit(Insn::JumpIf { condition: R6.eq(0), offset: 2 }),
        "15 06 02 00 00 00 00 00", "15 60 00 02 00 00 00 00"),
    ("if r1 s> r2 goto +32767",  |a| a.emit(Insn::JumpIf { condition: R1.sgt(R2), offset: 32767 }),
        "6d 21 ff 7f 00 00 00 00", "6d 12 7f ff 00 00 00 00"),
    ("if w4 < -1 goto -2",       |a| a.emit(Insn::JumpIf { condition: R4.lt(-1).w32(), offset: -2 }),
        "a6 04 fe ff ff ff ff ff", "a6 40 ff fe ff ff ff ff"),

    ("r1 = (s8)r2",               |a| a.mov_signed(SignExtend::S8To64, R1, R2),
        "bf 21 08 00 00 00 00 00", "bf 12 00 08 00 00 00 00"),
    ("r1 = (s16)r2",              |a| a.mov_signed(SignExtend::S16To64, R1, R2),
        "bf 21 10 00 00 00 00 00", "bf 12 00 10 00 00 00 00"),
    ("r1 = (s32)r2",              |a| a.mov_signed(SignExtend::S32To64, R1, R2),
        "bf 21 20 00 00 00 00 00", "bf 12 00 20 00 00 00 00"),
    ("w1 = (s8)w2",               |a| a.mov_signed(SignExtend::S8To32, R1, R2),
        "bc 21 08 00 00 00 00 00", "bc 12 00 08 00 00 00 00"),
    ("w1 = (s16)w2",              |a| a.mov_signed(SignExtend::S16To32, R1, R2),
        "bc 21 10 00 00 00 00 00", "bc 12 00 10 00 00 00 00"),
    ("r3 = le16 r3",              |a| a.swap(SwapOp::Le16, R3), "d4 03 00 00 10 00 00 00", "d4 30 00 00 00 00 00 10"),
    ("r3 = le32 r3",              |a| a.swap(SwapOp::Le32, R3), "d4 03 00 00 20 00 00 00", "d4 30 00 00 00 00 00 20"),
    ("r3 = le64 r3",              |a| a.swap(SwapOp::Le64, R3), "d4 03 00 00 40 00 00 00", "d4 30 00 00 00 00 00 40"),
    ("r3 = be16 r3",              |a| a.swap(SwapOp::Be16, R3), "dc 03 00 00 10 00 00 00", "dc 30 00 00 00 00 00 10"),
    ("r3 = be32 r3",              |a| a.swap(SwapOp::Be32, R3), "dc 03 00 00 20 00 00 00", "dc 30 00 00 00 00 00 20"),
    ("r3 = be64 r3",              |a| a.swap(SwapOp::Be64, R3), "dc 03 00 00 40 00 00 00", "dc 30 00 00 00 00 00 40"),
    ("r3 = bswap16 r3",           |a| a.swap(SwapOp::Bswap16, R3), "d7 03 00 00 10 00 00 00", "d7 30 00 00 00 00 00 10"),
    ("r3 = bswap32 r3",           |a| a.swap(SwapOp::Bswap32, R3), "d7 03 00 00 20 00 00 00", "d7 30 00 00 00 00 00 20"),
    ("r3 = bswap64 r3",           |a| a.swap(SwapOp::Bswap64, R3), "d7 03 00 00 40 00 00 00", "d7 30 00 00 00 00 00 40"),
    ("r1 = addr_space_cast(r2, 0, 1)",|a| a.addr_space_cast(R1, R2, 0, 1), "bf 21 01 00 01 00 00 00", "bf 12 00 01 00 00 00 01"),
    ("r1 = addr_space_cast(r2, 258, 3)",|a| a.addr_space_cast(R1, R2, 258, 3),
        "bf 21 01 00 03 00 02 01", "bf 12 00 01 01 02 00 03"),

    ("r1 = *(s8 *)(r2 + 1)",      |a| a.load(R1, s8_at(R2 + 1)), "91 21 01 00 00 00 00 00", "91 12 00 01 00 00 00 00"),
    ("r1 = *(s16 *)(r2 - 2)",     |a| a.load(R1, s16_at(R2 - 2)), "89 21 fe ff 00 00 00 00", "89 12 ff fe 00 00 00 00"),
    ("r1 = *(s32 *)(r2 + 258)",   |a| a.load(R1, s32_at(R2 + 258)), "81 21 02 01 00 00 00 00", "81 12 01 02 00 00 00 00"),
    ("r0 = *(u8 *)skb[258]",      |a| a.load_packet(PacketSize::U8, 258), "30 00 00 00 02 01 00 00", "30 00 00 00 00 00 01 02"),
    ("r0 = *(u16 *)skb[258]",     |a| a.load_packet(PacketSize::U16, 258), "28 00 00 00 02 01 00 00", "28 00 00 00 00 00 01 02"),
    ("r0 = *(u32 *)skb[258]",     |a| a.load_packet(PacketSize::U32, 258), "20 00 00 00 02 01 00 00", "20 00 00 00 00 00 01 02"),
    ("r0 = *(u8 *)skb[r7]",       |a| a.load_packet(PacketSize::U8, R7), "50 70 00 00 00 00 00 00", "50 07 00 00 00 00 00 00"),
    ("r0 = *(u16 *)skb[r7]",      |a| a.load_packet(PacketSize::U16, R7), "48 70 00 00 00 00 00 00", "48 07 00 00 00 00 00 00"),
    ("r0 = *(u32 *)skb[r7]",      |a| a.load_packet(PacketSize::U32, R7), "40 70 00 00 00 00 00 00", "40 07 00 00 00 00 00 00"),

    ("lock *(u64 *)(r1 + 258) += r2",|a| a.atomic(AtomicOp::Add, u64_at(R1 + 258), R2),
        "db 21 02 01 00 00 00 00", "db 12 01 02 00 00 00 00"),
    ("lock *(u32 *)(r1 - 4) += w2",|a| a.atomic(AtomicOp::Add, u32_at(R1 - 4), R2),
        "c3 21 fc ff 00 00 00 00", "c3 12 ff fc 00 00 00 00"),
    ("lock *(u64 *)(r1 + 258) |= r2",|a| a.atomic(AtomicOp::Or, u64_at(R1 + 258), R2),
        "db 21 02 01 40 00 00 00", "db 12 01 02 00 00 00 40"),
    ("lock *(u32 *)(r1 - 4) |= w2",|a| a.atomic(AtomicOp::Or, u32_at(R1 - 4), R2),
        "c3 21 fc ff 40 00 00 00", "c3 12 ff fc 00 00 00 40"),
    ("lock *(u64 *)(r1 + 258) &= r2",|a| a.atomic(AtomicOp::And, u64_at(R1 + 258), R2),
        "db 21 02 01 50 00 00 00", "db 12 01 02 00 00 00 50"),
    ("lock *(u32 *)(r1 - 4) &= w2",|a| a.atomic(AtomicOp::And, u32_at(R1 - 4), R2),
        "c3 21 fc ff 50 00 00 00", "c3 12 ff fc 00 00 00 50"),
    ("lock *(u64 *)(r1 + 258) ^= r2",|a| a.atomic(AtomicOp::Xor, u64_at(R1 + 258), R2),
        "db 21 02 01 a0 00 00 00", "db 12 01 02 00 00 00 a0"),
    ("lock *(u32 *)(r1 - 4) ^= w2",|a| a.atomic(AtomicOp::Xor, u32_at(R1 - 4), R2),
        "c3 21 fc ff a0 00 00 00", "c3 12 ff fc 00 00 00 a0"),
    ("r2 = atomic_fetch_add((u64 *)(r1 + 258), r2)",|a| a.atomic(AtomicOp::FetchAdd, u64_at(R1 + 258), R2),
        "db 21 02 01 01 00 00 00", "db 12 01 02 00 00 00 01"),
    ("w2 = atomic_fetch_add((u32 *)(r1 - 4), w2)",|a| a.atomic(AtomicOp::FetchAdd, u32_at(R1 - 4), R2),
        "c3 21 fc ff 01 00 00 00", "c3 12 ff fc 00 00 00 01"),
    ("r2 = atomic_fetch_or((u64 *)(r1 + 258), r2)",|a| a.atomic(AtomicOp::FetchOr, u64_at(R1 + 258), R2),
        "db 21 02 01 41 00 00 00", "db 12 01 02 00 00 00 41"),
    ("w2 = atomic_fetch_or((u32 *)(r1 - 4), w2)",|a| a.atomic(AtomicOp::FetchOr, u32_at(R1 - 4), R2),
        "c3 21 fc ff 41 00 00 00", "c3 12 ff fc 00 00 00 41"),
    ("r2 = atomic_fetch_and((u64 *)(r1 + 258), r2)",|a| a.atomic(AtomicOp::FetchAnd, u64_at(R1 + 258), R2),
        "db 21 02 01 51 00 00 00", "db 12 01 02 00 00 00 51"),
    ("w2 = atomic_fetch_and((u32 *)(r1 - 4), w2)",|a| a.atomic(AtomicOp::FetchAnd, u32_at(R1 - 4), R2),
        "c3 21 fc ff 51 00 00 00", "c3 12 ff fc 00 00 00 51"),
    ("r2 = atomic_fetch_xor((u64 *)(r1 + 258), r2)",|a| a.atomic(AtomicOp::FetchXor, u64_at(R1 + 258), R2),
        "db 21 02 01 a1 00 00 00", "db 12 01 02 00 00 00 a1"),
    ("w2 = atomic_fetch_xor((u32 *)(r1 - 4), w2)",|a| a.atomic(AtomicOp::FetchXor, u32_at(R1 - 4), R2),
        "c3 21 fc ff a1 00 00 00", "c3 12 ff fc 00 00 00 a1"),
    ("r2 = xchg_64(r1 + 258, r2)",|a| a.atomic(AtomicOp::Xchg, u64_at(R1 + 258), R2),
        "db 21 02 01 e1 00 00 00", "db 12 01 02 00 00 00 e1"),
    ("w2 = xchg32_32(r1 - 4, w2)",|a| a.atomic(AtomicOp::Xchg, u32_at(R1 - 4), R2),
        "c3 21 fc ff e1 00 00 00", "c3 12 ff fc 00 00 00 e1"),
    ("r0 = cmpxchg_64(r1 + 258, r0, r2)",|a| a.atomic(AtomicOp::CmpXchg, u64_at(R1 + 258), R2),
        "db 21 02 01 f1 00 00 00", "db 12 01 02 00 00 00 f1"),
    ("w0 = cmpxchg32_32(r1 - 4, w0, w2)",|a| a.atomic(AtomicOp::CmpXchg, u32_at(R1 - 4), R2),
        "c3 21 fc ff f1 00 00 00", "c3 12 ff fc 00 00 00 f1"),
    ("w3 = load_acquire((u8 *)(r2 + 258))",|a| a.load_acquire(R3, u8_at(R2 + 258)),
        "d3 23 02 01 00 01 00 00", "d3 32 01 02 00 00 01 00"),
    ("w3 = load_acquire((u16 *)(r2 + 258))",|a| a.load_acquire(R3, u16_at(R2 + 258)),
        "cb 23 02 01 00 01 00 00", "cb 32 01 02 00 00 01 00"),
    ("w3 = load_acquire((u32 *)(r2 + 258))",|a| a.load_acquire(R3, u32_at(R2 + 258)),
        "c3 23 02 01 00 01 00 00", "c3 32 01 02 00 00 01 00"),
    ("r3 = load_acquire((u64 *)(r2 + 258))",|a| a.load_acquire(R3, u64_at(R2 + 258)),
        "db 23 02 01 00 01 00 00", "db 32 01 02 00 00 01 00"),
    ("store_release((u8 *)(r1 - 4), w2)",|a| a.store_release(u8_at(R1 - 4), R2),
        "d3 21 fc ff 10 01 00 00", "d3 12 ff fc 00 00 01 10"),
    ("store_release((u16 *)(r1 - 4), w2)",|a| a.store_release(u16_at(R1 - 4), R2),
        "cb 21 fc ff 10 01 00 00", "cb 12 ff fc 00 00 01 10"),
    ("store_release((u32 *)(r1 - 4), w2)",|a| a.store_release(u32_at(R1 - 4), R2),
        "c3 21 fc ff 10 01 00 00", "c3 12 ff fc 00 00 01 10"),
    ("store_release((u64 *)(r1 - 4), r2)",|a| a.store_release(u64_at(R1 - 4), R2),
        "db 21 fc ff 10 01 00 00", "db 12 ff fc 00 00 01 10"),

    ("may_goto 258",              |a| a.emit(Insn::MayGoto { offset: 258 }),
        "e5 00 02 01 00 00 00 00", "e5 00 01 02 00 00 00 00"),
    ("gotox r3",                  |a| a.jump_reg(R3), "0d 03 00 00 00 00 00 00", "0d 30 00 00 00 00 00 00"),
    ("r0 = *(u16 *)skb[r7 + 258]",|a| a.load_packet(PacketSize::U16, R7 + 258),
        "48 70 00 00 02 01 00 00", "48 07 00 00 00 00 01 02"),
    ("gotol +66051",              |a| a.emit(Insn::JumpLong { offset: 66051 }),
        "06 00 00 00 03 02 01 00", "06 00 00 00 00 01 02 03"),
    ("call +66051",               |a| a.emit(Insn::CallLocal { offset: 66051 }),
        "85 10 00 00 03 02 01 00", "85 01 00 00 00 01 02 03"),
    ("r1 = btf_id(258) of fd 3",  |a| a.load_btf_id(R1, 258, 3),
        "18 31 00 00 02 01 00 00 00 00 00 00 03 00 00 00", "18 13 00 00 00 00 01 02 00 00 00 00 00 00 00 03"),
    ("r1 = func +258",            |a| a.emit(Insn::LoadWide { dst: R1, value: Wide::Func { offset: 258 } }),
        "18 41 00 00 02 01 00 00 00 00 00 00 00 00 00 00", "18 14 00 00 00 00 01 02 00 00 00 00 00 00 00 00"),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_written_has_these_bytes_in_either_order() {
    for (text, write, little, big) in VECTORS {
        let mut a = Assembler::new();
        write(&mut a);
        let code = a.finish().unwrap();
        assert_eq!(hex(&code.encode(Endian::Little, |_| 9)), *little, "{text}");
        assert_eq!(hex(&code.encode(Endian::Big, |_| 9)), *big, "{text}");
    }
}

/// The opcodes of an operation: 64 bits with an immediate and with a register, then 32 bits with the same.
type Opcodes = [u8; 4];

#[rustfmt::skip]
const ALU: &[(AluOp, Opcodes)] = &[
    (AluOp::Add,  [0x07, 0x0f, 0x04, 0x0c]),
    (AluOp::Sub,  [0x17, 0x1f, 0x14, 0x1c]),
    (AluOp::Mul,  [0x27, 0x2f, 0x24, 0x2c]),
    (AluOp::Div,  [0x37, 0x3f, 0x34, 0x3c]),
    (AluOp::Sdiv, [0x37, 0x3f, 0x34, 0x3c]),
    (AluOp::Or,   [0x47, 0x4f, 0x44, 0x4c]),
    (AluOp::And,  [0x57, 0x5f, 0x54, 0x5c]),
    (AluOp::Lsh,  [0x67, 0x6f, 0x64, 0x6c]),
    (AluOp::Rsh,  [0x77, 0x7f, 0x74, 0x7c]),
    (AluOp::Mod,  [0x97, 0x9f, 0x94, 0x9c]),
    (AluOp::Smod, [0x97, 0x9f, 0x94, 0x9c]),
    (AluOp::Xor,  [0xa7, 0xaf, 0xa4, 0xac]),
    (AluOp::Mov,  [0xb7, 0xbf, 0xb4, 0xbc]),
    (AluOp::Arsh, [0xc7, 0xcf, 0xc4, 0xcc]),
];

#[rustfmt::skip]
const JUMPS: &[(JumpOp, Opcodes)] = &[
    (JumpOp::Eq,  [0x15, 0x1d, 0x16, 0x1e]),
    (JumpOp::Gt,  [0x25, 0x2d, 0x26, 0x2e]),
    (JumpOp::Ge,  [0x35, 0x3d, 0x36, 0x3e]),
    (JumpOp::Set, [0x45, 0x4d, 0x46, 0x4e]),
    (JumpOp::Ne,  [0x55, 0x5d, 0x56, 0x5e]),
    (JumpOp::Sgt, [0x65, 0x6d, 0x66, 0x6e]),
    (JumpOp::Sge, [0x75, 0x7d, 0x76, 0x7e]),
    (JumpOp::Lt,  [0xa5, 0xad, 0xa6, 0xae]),
    (JumpOp::Le,  [0xb5, 0xbd, 0xb6, 0xbe]),
    (JumpOp::Slt, [0xc5, 0xcd, 0xc6, 0xce]),
    (JumpOp::Sle, [0xd5, 0xdd, 0xd6, 0xde]),
];

const VARIANTS: [(Width, Operand); 4] = [
    (Width::W64, Operand::Imm(8)),
    (Width::W64, Operand::Reg(R2)),
    (Width::W32, Operand::Imm(8)),
    (Width::W32, Operand::Reg(R2)),
];

fn opcode(insn: Insn) -> u8 {
    let mut bytes = Vec::new();
    insn.encode(Endian::Little, &mut bytes);
    bytes[0]
}

#[test]
fn every_operation_has_its_opcodes() {
    assert!(ALU.iter().map(|(op, _)| op).eq(AluOp::ALL));
    for &(op, opcodes) in ALU {
        let made = VARIANTS.map(|(width, src)| opcode(Insn::Alu { width, op, dst: R1, src }));
        assert_eq!(made, opcodes, "{op:?}");
    }
    assert!(JUMPS.iter().map(|(op, _)| op).eq(JumpOp::ALL));
    for &(op, opcodes) in JUMPS {
        let made = VARIANTS.map(|(width, right)| {
            opcode(Insn::JumpIf { condition: Condition { width, op, left: R1, right }, offset: 1 })
        });
        assert_eq!(made, opcodes, "{op:?}");
    }
}

#[test]
fn every_method_is_the_operation_of_its_name() {
    type Method = fn(&mut Assembler);
    #[rustfmt::skip]
    let methods: [(AluOp, Method, Method); 14] = [
        (AluOp::Add,  |a| a.add(R1, R2),     |a| a.add32(R1, R2)),
        (AluOp::Sub,  |a| a.sub(R1, R2),     |a| a.sub32(R1, R2)),
        (AluOp::Mul,  |a| a.mul(R1, R2),     |a| a.mul32(R1, R2)),
        (AluOp::Div,  |a| a.div(R1, R2),     |a| a.div32(R1, R2)),
        (AluOp::Sdiv, |a| a.sdiv(R1, R2),    |a| a.sdiv32(R1, R2)),
        (AluOp::Or,   |a| a.or(R1, R2),      |a| a.or32(R1, R2)),
        (AluOp::And,  |a| a.and(R1, R2),     |a| a.and32(R1, R2)),
        (AluOp::Lsh,  |a| a.lsh(R1, R2),     |a| a.lsh32(R1, R2)),
        (AluOp::Rsh,  |a| a.rsh(R1, R2),     |a| a.rsh32(R1, R2)),
        (AluOp::Mod,  |a| a.modulo(R1, R2),  |a| a.modulo32(R1, R2)),
        (AluOp::Smod, |a| a.smodulo(R1, R2), |a| a.smodulo32(R1, R2)),
        (AluOp::Xor,  |a| a.xor(R1, R2),     |a| a.xor32(R1, R2)),
        (AluOp::Mov,  |a| a.mov(R1, R2),     |a| a.mov32(R1, R2)),
        (AluOp::Arsh, |a| a.arsh(R1, R2),    |a| a.arsh32(R1, R2)),
    ];
    assert!(methods.iter().map(|(op, ..)| op).eq(AluOp::ALL));
    for (op, wide, narrow) in methods {
        let mut a = Assembler::new();
        wide(&mut a);
        narrow(&mut a);
        let src = Operand::Reg(R2);
        let expected = [Width::W64, Width::W32].map(|width| Insn::Alu { width, op, dst: R1, src });
        assert_eq!(a.finish().unwrap().insns(), expected);
    }

    #[rustfmt::skip]
    let comparisons = [
        R1.eq(7), R1.gt(7), R1.ge(7), R1.set(7), R1.ne(7), R1.sgt(7), R1.sge(7), R1.lt(7), R1.le(7), R1.slt(7), R1.sle(7),
    ];
    assert!(comparisons.iter().map(|condition| &condition.op).eq(JumpOp::ALL));
}

/// Numbers and names are those of the uapi header's `___BPF_FUNC_MAPPER`, versions those of the
/// commits that gave out the numbers.
#[test]
fn helpers_have_the_kernels_numbers() {
    #[rustfmt::skip]
    let some = [
        (1, "bpf_map_lookup_elem", (3, 19)), (2, "bpf_map_update_elem", (3, 19)), (12, "bpf_tail_call", (4, 2)),
        (42, "bpf_get_numa_node_id", (4, 10)), (51, "bpf_redirect_map", (4, 14)), (64, "bpf_bind", (4, 17)),
        (80, "bpf_get_current_cgroup_id", (4, 18)), (93, "bpf_spin_lock", (5, 1)), (110, "bpf_tcp_gen_syncookie", (5, 4)),
        (113, "bpf_probe_read_kernel", (5, 5)), (118, "bpf_jiffies64", (5, 6)), (124, "bpf_sk_assign", (5, 7)),
        (126, "bpf_seq_printf", (5, 8)), (127, "bpf_seq_write", (5, 8)), (141, "bpf_get_task_stack", (5, 9)),
        (147, "bpf_d_path", (5, 10)), (162, "bpf_sock_from_file", (5, 11)), (163, "bpf_check_mtu", (5, 12)),
        (175, "bpf_task_pt_regs", (5, 15)), (182, "bpf_strncmp", (5, 17)), (191, "bpf_copy_from_user_task", (5, 18)),
        (203, "bpf_dynptr_data", (5, 19)), (209, "bpf_user_ringbuf_drain", (6, 1)), (211, "bpf_cgrp_storage_delete", (6, 2)),
    ];
    for (id, name, since) in some {
        let helper = HelperId(id).known().unwrap();
        assert_eq!((helper.id().0, helper.name(), helper.since()), (id, name, since));
    }

    // The numbers have no gap, and a helper with a higher one isn't in an older kernel.
    assert!(Helper::ALL.iter().map(|helper| helper.id().0).eq(1..=211));
    assert!(Helper::ALL.is_sorted_by_key(|helper| helper.since()));
    for &helper in Helper::ALL {
        assert_eq!(helper.id().known(), Some(helper));
        assert_eq!(helper.id().to_string(), helper.name());
        assert_eq!(Helper::from_name(helper.name()), Some(helper));
    }
    for unknown in [0, 212, u32::MAX] {
        assert_eq!(HelperId(unknown).known(), None);
        assert_eq!(HelperId(unknown).to_string(), unknown.to_string());
    }
    assert_eq!(Helper::from_name("map_lookup_elem"), None);
}
