//! Measures kwalk against its peers, in one run, and prints a table of it in Markdown.

mod assembler;
mod btf;
mod race;

fn main() {
    let mut args = std::env::args().skip(1);
    if let Some(mode @ (btf::COLD | btf::MEMORY)) = args.next().as_deref() {
        return btf::answer(mode, args);
    }
    println!("| what | unit | kwalk | peer | | ratio |");
    println!("|---|---|---:|---:|---|---:|");
    for result in assembler::races().into_iter().chain(btf::races()) {
        println!("{result}");
    }
}
