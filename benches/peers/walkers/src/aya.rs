//! Counts the tasks with aya; the argument is the object of `count.bpf.c`.

use std::error::Error;
use std::io::Read;
use std::process::exit;

use aya::maps::Array;
use aya::programs::Iter;
use aya::{Btf, Ebpf};

fn main() -> Result<(), Box<dyn Error>> {
    let object = std::env::args_os().nth(1).ok_or("which object?")?;
    let mut ebpf = Ebpf::load_file(object)?;
    let btf = Btf::from_sys_fs()?;
    let program: &mut Iter = ebpf.program_mut("count_tasks").ok_or("it has another program")?.try_into()?;
    program.load("task", &btf)?;
    let link = program.attach()?;
    let mut walk = program.take_link(link)?.into_file()?;
    let mut buffer = vec![0; 32 << 10];
    while walk.read(&mut buffer)? > 0 {}
    let counter = Array::<_, u64>::try_from(ebpf.map(".bss").ok_or("it has no counter")?)?;
    println!("{}", counter.get(&0, 0)?);
    // The kernel closes what is open faster than we could.
    exit(0)
}
