//! Objects of the kernel's: some for tests to find, and how they find them.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use kwalk::asm::Reg::*;
use kwalk::asm::{Assembler, Endian, Helper, Insn, Wide, u64_at};
use kwalk::btf::{FuncInfo, TypeId};
use kwalk::progs::{Program, ProgramType, Target};
use kwalk::sys::{
    BtfLoad, MapCreate, MapFd, MapType, ObjName, ObjPin, Object, ProgBtf, ProgFd, ProgFlags, ProgLoad,
    ProgRun, ProgType, bpf, ids, open_id,
};
use kwalk::text::{self, Options};

/// A map of one element.
pub fn small_map(name: &str) -> MapFd {
    let create = MapCreate { name: ObjName::new(name), ..MapCreate::new(MapType::ARRAY, 4, 4, 1) };
    bpf(create).expect("a map")
}

/// A program that writes and deletes elements of a map, on the CPU that it is run on: of a map that has a value for each
/// CPU, it writes that CPU's. Since Linux 5.14.
pub struct MapWriter {
    prog: ProgFd,
    key: usize,
    value: usize,
}

impl MapWriter {
    /// For keys and values of these sizes.
    pub fn new(map: &MapFd, key: usize, value: usize) -> MapWriter {
        let [key, value] = [key, value].map(|size| size.next_multiple_of(8));
        let (key_at, value_at) = (R10 - key as i32, R10 - (key + value) as i32);
        let mut a = Assembler::new();
        let delete = a.label();
        a.mov(R6, R1);
        for word in (0..(key + value) as i32).step_by(8) {
            // Key and value follow each other, here as there.
            a.load(R1, u64_at(R6 + (8 + word)));
            let to = if word < key as i32 { key_at + word } else { value_at + (word - key as i32) };
            a.store(u64_at(to), R1);
        }
        a.load(R7, u64_at(R6 + 0));
        a.emit(Insn::LoadWide { dst: R1, value: Wide::MapFd(map.as_raw_fd()) });
        a.address(R2, key_at);
        a.jump_if(R7.ne(0), delete);
        a.address(R3, value_at);
        a.mov(R4, 0);
        a.call(Helper::MapUpdateElem);
        a.exit();
        a.bind(delete);
        a.call(Helper::MapDeleteElem);
        a.exit();
        let insns = a.finish().expect("a program").encode(Endian::NATIVE, |slot| unreachable!("{slot:?}"));
        let load = ProgLoad::new(ProgType::SYSCALL, &insns, c"Dual MIT/GPL");
        let prog = bpf(ProgLoad { flags: ProgFlags::SLEEPABLE, ..load }).expect("it loads");
        MapWriter { prog, key, value }
    }

    pub fn write(&self, key: &[u8], value: &[u8]) {
        self.run(0, key, value);
    }

    pub fn delete(&self, key: &[u8]) {
        self.run(1, key, &[]);
    }

    fn run(&self, deletes: u64, key: &[u8], value: &[u8]) {
        let mut ctx = deletes.to_ne_bytes().to_vec();
        ctx.extend(key);
        ctx.resize(8 + self.key, 0);
        ctx.extend(value);
        ctx.resize(8 + self.key + self.value, 0);
        assert_eq!(bpf(ProgRun { prog: &self.prog, ctx: &mut ctx }).expect("it runs"), 0);
    }
}

/// BTF with `int function()`, which is type 3, and with `more` at the end of its strings.
pub fn function_btf(function: &str, more: &str) -> Vec<u8> {
    // The types: 1 int, 2 int(void), 3 the function.
    let strings = format!("\0int\0{function}\0{more}");
    let (int, proto, func) = (1 << 24, 13 << 24, 12 << 24);
    let types: [u32; 10] = [1, int, 4, 0x0100_0020, 0, proto, 1, 5, func, 2];
    let types = types.map(u32::to_ne_bytes).concat();
    let mut btf = 0xeb9f_u16.to_ne_bytes().to_vec();
    btf.extend([1, 0]);
    let lengths = [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32];
    btf.extend(lengths.map(u32::to_ne_bytes).concat());
    btf.extend(types);
    btf.extend(strings.bytes());
    btf
}

/// A program that does nothing: `r0 = 0; exit`. Its function is called `function`, if that is given.
pub fn idle_program(name: &str, function: Option<&str>) -> ProgFd {
    let insns = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let load = ProgLoad {
        name: ObjName::new(name),
        ..ProgLoad::new(ProgType::SOCKET_FILTER, &insns, c"Dual MIT/GPL")
    };
    let Some(function) = function else { return bpf(load).expect("it loads") };
    let btf = bpf(BtfLoad { btf: &function_btf(function, ""), log: None }).expect("the types load");
    let func_info = [FuncInfo { insn_off: 0, type_id: TypeId(3) }];
    let btf = Some(ProgBtf { btf: &btf, func_info: &func_info, line_info: &[] });
    bpf(ProgLoad { btf, ..load }).expect("it loads with its types")
}

/// A text program, written for the running kernel.
pub fn text_program(name: &str, options: &Options) -> Program {
    text::by_name(name).unwrap().write(&super::running(), options).unwrap()
}

/// Has a program say that it walks another target than it does, which only the kernel finds out.
pub fn pretend(program: &mut Program, other: Target) {
    let ProgramType::Iter { target, .. } = &mut program.program_type else { panic!("it is an iterator") };
    *target = other;
}

/// Pins an object of any kind.
pub fn pin_object(fd: impl AsFd, path: &Path) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    bpf(ObjPin { fd: fd.as_fd(), path: &path }).expect("a pin");
}

/// The ids of the objects of a kind that live and that `is` picks. One that goes while its id is on the way is none; any
/// other refusal is the test's failure.
pub fn living<O: Object>(is: impl Fn(&O) -> bool) -> impl Iterator<Item = u32> {
    let picked = move |id: &u32| match open_id(*id) {
        Ok(object) => is(&object),
        Err(error) => {
            assert_eq!(error.errno(), libc::ENOENT, "{error}");
            false
        }
    };
    ids::<O>().map(Result::unwrap).filter(picked)
}
