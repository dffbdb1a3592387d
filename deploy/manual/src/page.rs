//! A man page: what clap_mangen makes of a command, as readers of manuals know it.

use std::fs;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

/// A page for the program and one for each of its tasks.
pub fn write(
    folder: &Path,
    command: &Command,
    name: &str,
    (section, date): (&str, &str),
    more: &str,
) -> anyhow::Result<()> {
    let tasks = || command.get_subcommands().filter(|task| !task.is_hide_set() && task.get_name() != "help");
    let page = Man::new(command.clone())
        .title(name.to_uppercase())
        .section(section)
        .date(date)
        .source("udp-relay")
        .manual("UDP group relay");
    let mut file = Vec::new();
    page.render_title(&mut file)?;
    page.render_name_section(&mut file)?;
    page.render_synopsis_section(&mut file)?;
    page.render_description_section(&mut file)?;
    page.render_options_section(&mut file)?;
    if tasks().next().is_some() {
        page.render_subcommands_section(&mut file)?;
    }
    if command.get_after_help().is_some() {
        page.render_extra_section(&mut file)?;
    }
    file.extend(more.as_bytes());
    fs::write(folder.join(format!("{name}.{section}")), readable(&String::from_utf8(file)?))?;
    for task in tasks() {
        let see = format!(".SH \"SEE ALSO\"\n.BR {name} ({section})\n");
        write(folder, task, &format!("{name}-{}", task.get_name()), (section, date), &see)?;
    }
    Ok(())
}

/// Clap_mangen calls what stands behind the options EXTRA, and takes backquotes for letters.
fn readable(page: &str) -> String {
    page.lines().map(|line| bold(&line.replace(".SH EXTRA", ".SH NOTES")) + "\n").collect()
}

/// What stands between two backquotes, in bold.
fn bold(line: &str) -> String {
    let mut pieces = line.split('`');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    while let Some(quoted) = pieces.next() {
        match pieces.next() {
            Some(rest) => text += &format!("\\fB{quoted}\\fR{rest}"),
            None => text += &format!("`{quoted}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    #[test]
    fn what_is_quoted_is_bold_and_what_is_more_are_notes() -> anyhow::Result<()> {
        let folder = std::env::temp_dir().join(format!("manual-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let flag = Arg::new("to").long("to").help("Who; `all` is everybody, and ` is a letter");
        let command = Command::new("tell").about("Tells").arg(flag).after_help("Ask `tell --help`.");
        write(&folder, &command, "tell", ("1", "2026-01-01"), ".SH \"SEE ALSO\"\n")?;
        let page = fs::read_to_string(folder.join("tell.1"))?;
        fs::remove_dir_all(&folder)?;
        assert!(page.contains("Who; \\fBall\\fR is everybody, and ` is a letter\n"), "{page}");
        assert!(page.contains(".SH NOTES\nAsk \\fBtell \\-\\-help\\fR.\n.SH \"SEE ALSO\"\n"), "{page}");
        assert!(!page.contains("EXTRA"), "{page}");
        Ok(())
    }
}
