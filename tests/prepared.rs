//! A question that is prepared can be asked again, without another program; and an engine is told what it need not test.

use std::collections::BTreeSet;

use kwalk::select::{PlanOptions, Prepared, Select, Verdict, Walk, field};
use kwalk::sys::{ProgFd, ids};
use kwalk::{Netns, Scope};

use crate::support::Need::{Bpf, Root};
use crate::support::rows::{all, counted, number, text, walked};
use crate::support::{Need, Sleeper, Test, eventually, running, test, test_alone, unique};

/// Programs and links are listed for root alone.
const NEEDS: &[Need] = &[Bpf, Root];

pub fn tests() -> Vec<Test> {
    vec![
        test("a_walk_sees_what_has_come_since", NEEDS, a_walk_sees_what_has_come_since),
        test("counts_begin_anew", NEEDS, counts_begin_anew),
        test("namespaces_are_walked_again", NEEDS, namespaces_are_walked_again),
        test("what_is_exact_is_what_is_shown", NEEDS, what_is_exact_is_what_is_shown),
        test("what_is_too_much_is_not_taken", NEEDS, what_is_too_much_is_not_taken),
        test_alone("no_program_is_loaded_again", NEEDS, no_program_is_loaded_again),
    ]
}

fn prepared<'a>(select: &Select, scope: Scope<'a>) -> Prepared<'a> {
    Walk::plan(select, &running(), scope).unwrap().prepare().unwrap()
}

fn a_walk_sees_what_has_come_since() {
    let comm = unique("kwp");
    let mut walk =
        prepared(&Select::new("task").fields(["pid"]).filter(field("comm").eq(&*comm)), Scope::All);
    let pids = |walk: &mut Prepared<'_>| all(walk.rows().unwrap(), |row| number(&row[0])).unwrap();
    assert_eq!(pids(&mut walk), [0; 0]);
    let first = Sleeper::named(&comm);
    assert_eq!(pids(&mut walk), [u64::from(first.pid())]);
    let second = Sleeper::named(&comm);
    let both = BTreeSet::from([first.pid(), second.pid()].map(u64::from));
    assert_eq!(BTreeSet::from_iter(pids(&mut walk)), both);
    drop(first);
    assert_eq!(pids(&mut walk), [u64::from(second.pid())]);
}

fn counts_begin_anew() {
    let comm = unique("kwc");
    let select = Select::new("task").filter(field("comm").eq(&*comm));
    let mut walk = Walk::plan_count(&select, &running(), Scope::All).unwrap().prepare().unwrap();
    assert_eq!(walk.count().unwrap(), 0);
    let one = Sleeper::named(&comm);
    assert_eq!((walk.count().unwrap(), walk.count().unwrap()), (1, 1));
    let two = Sleeper::named(&comm);
    assert_eq!(walk.count().unwrap(), 2);
    drop((one, two));
    assert_eq!(walk.count().unwrap(), 0);
}

fn namespaces_are_walked_again() {
    let own = [Netns::of_process(std::process::id()).unwrap()];
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let select = Select::new("tcp").fields(["sport"]).filter(field("sport").eq(port));
    let mut walk = prepared(&select, Scope::Netns(&own));
    for _ in 0..2 {
        assert_eq!(all(walk.rows().unwrap(), |row| number(&row[0])).unwrap(), [u64::from(port)]);
    }
    drop(listener);
    // A process that is being started may have it open, too, until it is another program.
    eventually("the port is free", || {
        all(prepared(&select, Scope::Netns(&own)).rows().unwrap(), |row| number(&row[0])).unwrap().is_empty()
    });
    assert_eq!(all(walk.rows().unwrap(), |row| number(&row[0])).unwrap(), [0; 0]);
}

/// Ids of programs are given in their order: other processes may load some, but not each time.
fn no_program_is_loaded_again() {
    let newest = || ids::<ProgFd>().map(|id| id.unwrap()).last().unwrap();
    // There is a row of each.
    let _socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for target in ["task", "udp"] {
        let mut walk = prepared(&Select::new(target), Scope::All);
        eventually("a walk loads no program", || {
            let before = newest();
            let mut walk = prepared(&Select::new(target), Scope::All);
            let loaded = newest();
            for _ in 0..20 {
                assert!(all(walk.rows().unwrap(), |row| row.len()).unwrap().iter().all(|len| *len > 0));
            }
            before < loaded && newest() == loaded
        });
        assert_ne!(all(walk.rows().unwrap(), |row| row.len()).unwrap(), [0; 0], "{target}");
    }
}

fn what_is_exact_is_what_is_shown() {
    let comm = unique("kwv");
    let sleeper = Sleeper::named(&comm);
    let kernel = running();
    let asked = [
        (field("comm").eq(&*comm), Verdict::Exact),
        (field("comm").like("kwv%").and(field("pid").gt(1)), Verdict::Exact),
        (field("comm").like("%kw%v%"), Verdict::Unsupported),
        (field("pid").gt(1).and(field("comm").like("%kw%v%")), Verdict::Inexact),
        // What lies beyond the first 2,000 bytes of a path is not searched.
        (field("exe").like("%sleep%"), Verdict::Unsupported),
        (field("nothing").eq(1), Verdict::Unsupported),
    ];
    let (conditions, wanted): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
    let select = Select::new("task").fields(["pid", "comm"]);
    let (select, verdicts) = select.push_filters(&kernel, &PlanOptions::default(), conditions).unwrap();
    assert_eq!(verdicts, wanted);
    // Those that are unsupported are not in the program, nor is what they named.
    let shown = all(walked(&select, Scope::All).unwrap(), |row| (number(&row[0]), text(&row[1]))).unwrap();
    assert_eq!(shown, [(sleeper.pid().into(), comm)]);
    assert_eq!(counted(&select, Scope::All).unwrap(), 1);
}

/// Each long list is a map, of which a program has 64 at most, one of them to count in; each of these sums takes one
/// register more than the one that it is made of.
fn what_is_too_much_is_not_taken() {
    let sleeper = Sleeper::named(&unique("kwt"));
    let (kernel, pid) = (running(), sleeper.pid());
    let list = |nth: u32| field("pid").is_in((1..40).map(|other| other * 100_000 + nth).chain([pid]));
    let sum = (0..8).fold(field("prio"), |sum, _| (sum.clone() + field("pid")) * (sum + 1));
    for (conditions, exact) in [((0..70).map(list).collect(), 63), (vec![sum.clone().ge(sum), list(0)], 1)] {
        let select = Select::new("task").fields(["pid"]);
        let (select, verdicts) = select.push_filters(&kernel, &PlanOptions::default(), conditions).unwrap();
        let count = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count();
        assert_eq!((count(Verdict::Exact), count(Verdict::Inexact)), (exact, 0), "{verdicts:?}");
        assert_eq!(
            all(walked(&select, Scope::All).unwrap(), |row| number(&row[0])).unwrap(),
            [u64::from(pid)]
        );
        assert_eq!(counted(&select, Scope::All).unwrap(), 1);
    }
}
