//! `cargo xtask faults`: the whole fault matrix, with the figures of every cell.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

const PATH: &str = "docs/reliability.md";
const BEGIN: &str = "<!-- cargo xtask faults --write: begin -->\n";
const END: &str = "<!-- cargo xtask faults --write: end -->\n";

const HEAD: &str = "\
| Fault | Backend | Sent by clients | Lost before | Kernel | Received | Meant | Dropped, by reason | Taken | Lost after | Heard |
|---|---|---|---|---|---|---|---|---|---|---|
";

/// Stories of this module.
const CELLS: &str = "faults::";

/// How much is said, and where the figures go.
#[derive(clap::Args)]
pub struct Options {
    /// How many times as much is said as in `cargo xtask test`.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    times: u32,
    /// Also writes the table into docs/reliability.md.
    #[arg(long)]
    write: bool,
}

/// Where the cells write their figures.
pub struct Figures(PathBuf);

impl Figures {
    /// A file, and nothing in it.
    pub fn new(shell: &Shell) -> anyhow::Result<Figures> {
        let folder = shell.current_dir().join("target");
        fs::create_dir_all(&folder)?;
        let file = folder.join("faults.md");
        fs::write(&file, "")?;
        Ok(Figures(file))
    }

    /// The table of all cells that have been told.
    pub fn table(&self) -> anyhow::Result<String> {
        let text = fs::read_to_string(&self.0)?;
        let mut rows: Vec<&str> = text.lines().collect();
        // They are told side by side.
        rows.sort_unstable();
        Ok(format!("{HEAD}{}\n", rows.join("\n")))
    }
}

/// Tells all cells, with more traffic than `cargo xtask test` has.
pub fn run(shell: &Shell, options: &Options) -> anyhow::Result<()> {
    let _programs = crate::steps::release_programs(shell)?;
    let times = options.times.to_string();
    let _times = shell.push_env("FAULTS_TIMES", times);
    let table = beside_the_long_one(shell, || {
        Ok(cmd!(shell, "cargo test --locked -p relay --test e2e -- {CELLS}").run()?)
    })?;
    if options.write {
        let text = shell.read_file(PATH)?;
        shell.write_file(
            PATH,
            replaced(&text, &table).with_context(|| format!("{PATH} lacks the two markers"))?,
        )?;
    }
    Ok(())
}

/// Does something while the story runs that takes four minutes, nearly all of them asleep; prints and gives the figures
/// of all cells that were told meanwhile.
pub fn beside_the_long_one(
    shell: &Shell,
    act: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let figures = Figures::new(shell)?;
    let _file = shell.push_env("FAULTS_FIGURES", &figures.0);
    cmd!(shell, "cargo test --locked -p relay --test e2e --no-run").run()?;
    let mut long = Command::from(cmd!(shell, "cargo test --locked -p relay --test e2e -- --ignored {CELLS}"));
    thread::scope(|scope| {
        let long = scope.spawn(move || long.output());
        act()?;
        let Ok(ended) = long.join() else { bail!("the thread of the long story has panicked") };
        let ended = ended?;
        if !ended.status.success() {
            bail!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        }
        let table = figures.table()?;
        println!("{table}");
        Ok(table)
    })
}

/// The text with this table between the markers.
fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_its_predecessor() {
        let text = format!("before\n{BEGIN}old\n{END}after\n");
        assert_eq!(replaced(&text, "new\n").unwrap(), format!("before\n{BEGIN}\nnew\n\n{END}after\n"));
        assert_eq!(replaced("no markers", "new"), None);
    }
}
