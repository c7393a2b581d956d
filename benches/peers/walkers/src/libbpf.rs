//! Counts the tasks with libbpf-rs; the argument is the object of `count.bpf.c`.

use std::error::Error;
use std::io::Read;
use std::process::exit;

use libbpf_rs::{Iter, MapCore, MapFlags, ObjectBuilder};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("which object?")?;
    let object = ObjectBuilder::default().open_file(path)?.load()?;
    let program = object.progs_mut().next().ok_or("it has no program")?;
    let link = program.attach()?;
    let mut walk = Iter::new(&link)?;
    let mut buffer = vec![0; 32 << 10];
    while walk.read(&mut buffer)? > 0 {}
    let counter = object.maps().find(|map| map.name().to_string_lossy().ends_with(".bss"));
    let value = counter.ok_or("it has no counter")?.lookup(&[0; 4], MapFlags::ANY)?.ok_or("it is empty")?;
    println!("{}", u64::from_ne_bytes(value.as_slice().try_into()?));
    // The kernel closes what is open faster than we could.
    exit(0)
}
