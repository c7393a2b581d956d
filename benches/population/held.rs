//! A process that holds threads, files or sockets until its standard input ends.

use std::fs::File;
use std::io::{Read, stdin};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::thread;

use nix::libc::linger;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{setsockopt, sockopt::Linger};

use super::Kind;

/// The first argument of such a process.
const HELPER: &str = "--population";

/// What one says when it has all that it should.
pub(crate) const READY: &str = "ready";

const KINDS: [(&str, Kind); 3] =
    [("threads", Kind::Threads), ("files", Kind::Files), ("sockets", Kind::Sockets)];

/// What starts one that holds so many.
pub(crate) fn command(kind: Kind, count: usize) -> Command {
    let (name, _) = KINDS.into_iter().find(|(_, known)| *known == kind).expect("a helper's kind");
    let mut command = Command::new(super::current_exe().expect("this program's own path"));
    command.args([HELPER, name, &count.to_string()]);
    command
}

/// How many files one can hold.
pub(crate) fn files_max() -> Result<usize, String> {
    // Its own, and those of the library.
    const OTHER: u64 = 64;
    // More takes long to be closed again.
    const ENOUGH: u64 = 20_000;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|errno| errno.to_string())?;
    let most = hard.min(ENOUGH).saturating_sub(OTHER);
    // Sockets come in pairs.
    usize::try_from(most & !1).ok().filter(|most| *most > 0).ok_or_else(|| "files are limited to none".into())
}

/// Acts as such a process, if this one was started as one.
pub(crate) fn helper() -> bool {
    let mut args = std::env::args().skip(1);
    let (Some(HELPER), Some(name), Some(count)) = (args.next().as_deref(), args.next(), args.next()) else {
        return false;
    };
    let (_, kind) = KINDS.into_iter().find(|(known, _)| *known == name).expect("a helper's kind");
    let count = count.parse().expect("a number");
    let mut files = Vec::new();
    let held = match kind {
        Kind::Threads => threads(count),
        Kind::Sockets => sockets(count, &mut files),
        _ => many_files(count, &mut files),
    };
    match held {
        Ok(()) => println!("{READY}"),
        Err(error) => println!("{error}"),
    }
    let _ = stdin().read(&mut [0]);
    true
}

fn threads(count: usize) -> std::io::Result<()> {
    let sleep = || {
        loop {
            thread::park();
        }
    };
    // The process itself is one.
    for _ in 1..count {
        thread::Builder::new().stack_size(16 << 10).spawn(sleep)?;
    }
    Ok(())
}

fn many_files(count: usize, files: &mut Vec<OwnedFd>) -> std::io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    for _ in 0..count {
        files.push(File::open("/dev/null")?.into());
    }
    Ok(())
}

fn sockets(count: usize, files: &mut Vec<OwnedFd>) -> std::io::Result<()> {
    many_files(0, files)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    for _ in 0..count / 2 {
        let client = TcpStream::connect(address)?;
        let (server, _) = listener.accept()?;
        for socket in [client, server] {
            // Gone at once when they are closed: none is left to wait for what its peer might still say.
            setsockopt(&socket, Linger, &linger { l_onoff: 1, l_linger: 0 })?;
            files.push(socket.into());
        }
    }
    if count % 2 == 1 {
        files.push(listener.into());
    }
    Ok(())
}
