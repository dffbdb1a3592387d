//! What the tests need of the machine: room on the disk, and Debian packages, installed where they lack.

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

/// A program that tests start, or a file that one needs, and the Debian package that has it.
const NEEDED: [(&str, &str); 20] = [
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("nft", "nftables"),
    ("kill", "procps"),
    ("prlimit", "util-linux"),
    ("valgrind", "valgrind"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("chromium", "chromium"),
    // Without a font the pages have no text.
    ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "fonts-dejavu-core"),
    ("podman", "podman"),
    ("runc", "runc"),
    ("jq", "jq"),
    ("pip3", "python3-pip"),
    ("systemd-analyze", "systemd"),
    ("lintian", "lintian"),
    ("man", "man-db"),
    ("mandoc", "mandoc"),
];

/// What a run from a fresh clone takes of the disk, in GiB: the programs and tests in three profiles, and images of containers.
const ROOM: u64 = 12;

/// Says if there may be too little room, and installs the packages of the programs that are not there.
pub fn prepare(shell: &Shell) -> anyhow::Result<()> {
    let free = cmd!(shell, "df --output=avail --block-size=1G .").quiet().read()?;
    let free: u64 = free.lines().last().unwrap_or_default().trim().parse().context("what df says")?;
    if free < ROOM {
        println!(
            "{free} GiB of the disk are free; from a fresh clone all steps take {ROOM}: make room if one says so"
        );
    }
    let mut packages: Vec<&str> =
        NEEDED.iter().filter(|(program, _)| !is_installed(program)).map(|(_, package)| *package).collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    println!("installing what the tests need and this machine lacks: {}", packages.join(" "));
    let sudo: &[&str] = if is_root(shell)? { &[] } else { &["sudo"] };
    // A package must not start a service of its own: the tests start what they need.
    let install = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"];
    let apt: Vec<&str> = sudo.iter().chain(&install).copied().collect();
    let (program, args) = apt.split_first().context("a command")?;
    cmd!(shell, "{program} {args...} update -qq").run()?;
    cmd!(shell, "{program} {args...} install -y -qq --no-install-recommends {packages...}").run()?;
    for (program, package) in NEEDED {
        if !is_installed(program) {
            bail!("{program} is still missing after installing the package {package}");
        }
    }
    Ok(())
}

fn is_root(shell: &Shell) -> anyhow::Result<bool> {
    Ok(cmd!(shell, "id -u").quiet().read()? == "0")
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps network tools where only root's PATH looks.
    let system = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file())
}
