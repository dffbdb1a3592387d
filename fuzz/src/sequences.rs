//! What happens to a relay of several shards, chosen by the bytes, held against the model of the engine's tests.

use arbitrary::{Result, Unstructured};

use crate::oracle::Rules;
use crate::proofs::Mode;
use crate::steps::{CLIENTS, Case, Id, NAMES, SOURCES, Say, Shown, Step, Style, What};
use crate::trial::Trial;

/// Steps of a case at most: what is behind them is not read.
const LONGEST: usize = 64;

/// Panics where the engines differ from the model.
pub fn check(bytes: &[u8]) {
    if let Ok(case) = case(&mut Unstructured::new(bytes)) {
        Trial::run(&case);
    }
}

fn case(bytes: &mut Unstructured<'_>) -> Result<Case> {
    let shards = bytes.int_in_range(1..=3)?;
    let is_open = bytes.arbitrary()?;
    let rules = rules(bytes, is_open)?;
    let mut steps = Vec::new();
    while !bytes.is_empty() && steps.len() < LONGEST {
        steps.push(step(bytes, is_open)?);
    }
    Ok(Case { shards, rules, steps })
}

/// Of a relay that is always open, or may ask for proofs.
fn rules(bytes: &mut Unstructured<'_>, is_open: bool) -> Result<Rules> {
    let rules = Rules {
        heartbeat: bytes.int_in_range(1..=256)?,
        sweep: bytes.int_in_range(1..=150)?,
        ttl: bytes.int_in_range(1..=256)? * bytes.int_in_range(1..=12)?,
        cap: cap(bytes)?,
        quota: bytes.int_in_range(0..=4)?,
        max_clients: bytes.int_in_range(1..=11)?,
        max_groups: bytes.int_in_range(1..=8)?,
        max_unjoined: bytes.int_in_range(0..=5)?,
        mode: Mode::Open,
        egress: 1,
    };
    if is_open {
        return Ok(rules);
    }
    // Who makes room at a ceiling, where not everybody is proved, is not for the model to say.
    let (max_clients, max_groups, max_unjoined) = (100, 100, 100);
    let mode = [Mode::Auto, Mode::Strict, Mode::Auto, Mode::Open][bytes.choose_index(4)?];
    let egress = bytes.int_in_range(1..=512)?;
    Ok(Rules { max_clients, max_groups, max_unjoined, mode, egress, ..rules })
}

fn cap(bytes: &mut Unstructured<'_>) -> Result<Option<usize>> {
    Ok([None, Some(0), Some(1), Some(2), Some(3), Some(5)][bytes.choose_index(6)?])
}

fn step(bytes: &mut Unstructured<'_>, is_open: bool) -> Result<Step> {
    Ok(match bytes.int_in_range(0..=15)? {
        0 => Step::Reload(rules(bytes, is_open)?),
        1 => Step::Quiet { halves: bytes.int_in_range(1..=9)? },
        2 => {
            let groups = (0..bytes.int_in_range(0..=3)?).map(|_| Ok((id(bytes)?, own_cap(bytes)?)));
            Step::Declare(groups.collect::<Result<_>>()?)
        }
        // The clock may jump back, or far ahead.
        3 => turn(bytes.int_in_range(-200..=1500)?, bytes)?,
        4..=9 => turn(bytes.int_in_range(0..=255)?, bytes)?,
        _ => turn(0, bytes)?,
    })
}

fn own_cap(bytes: &mut Unstructured<'_>) -> Result<Option<Option<usize>>> {
    if bytes.arbitrary()? { cap(bytes).map(Some) } else { Ok(None) }
}

fn turn(pass: i64, bytes: &mut Unstructured<'_>) -> Result<Step> {
    let says = (0..bytes.int_in_range(0..=14)?).map(|_| say(bytes)).collect::<Result<_>>()?;
    Ok(Step::Turn { pass, says })
}

fn say(bytes: &mut Unstructured<'_>) -> Result<Say> {
    let anybody = bytes.ratio(1, 16)?;
    let source = bytes.choose_index(if anybody { SOURCES.len() } else { CLIENTS })?;
    let source = SOURCES[source].parse().expect("an address");
    Ok(Say { source, socket: bytes.int_in_range(0..=1)?, what: what(bytes)? })
}

fn what(bytes: &mut Unstructured<'_>) -> Result<What> {
    Ok(match bytes.int_in_range(0..=31)? {
        0..=9 => What::Group { command: "!JOIN", id: id(bytes)?, style: style(bytes)? },
        10..=13 => What::Group { command: "!LEAVE", id: id(bytes)?, style: style(bytes)? },
        14..=18 => What::Bytes(b"!CREATE".to_vec()),
        19..=20 => What::Bytes(b"!PING".to_vec()),
        21..=22 => What::Bytes(b"!WHO".to_vec()),
        23 => {
            let start = [&b"!PING"[..], b"ERR ", b"x"][bytes.choose_index(3)?];
            What::Long(start, bytes.int_in_range(4095..=4098)?)
        }
        24 => What::Bytes([&b"OK "[..], b"ERR ", b"PONG "][bytes.choose_index(3)?].to_vec()),
        25 => What::Bytes([b"!", any(bytes)?].concat()),
        26..=29 => proof(bytes)?,
        _ => What::Bytes(any(bytes)?.to_vec()),
    })
}

fn proof(bytes: &mut Unstructured<'_>) -> Result<What> {
    let id = if bytes.ratio(4, 5)? { Some(id(bytes)?) } else { None };
    let divider = [" ", ".", " \t. "][bytes.choose_index(3)?];
    let shown = match bytes.int_in_range(0..=9)? {
        0..=4 => Shown::Told,
        5 => Shown::Lower,
        6 => Shown::Others,
        7..=8 => Shown::Nothing,
        _ => Shown::Text(["", "?", "AAAAAAAAAAAAAAAO", "AAAAAAAAAAAAAAAAA"][bytes.choose_index(4)?]),
    };
    Ok(What::Proof { id, divider, shown })
}

/// Up to 15 of the bytes as they are.
fn any<'a>(bytes: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let len = bytes.int_in_range(0..=15)?;
    bytes.bytes(len.min(bytes.len()))
}

fn id(bytes: &mut Unstructured<'_>) -> Result<Id> {
    Ok(match bytes.int_in_range(0..=11)? {
        name @ 0..=3 => Id::Name(name % NAMES.len()),
        4..=5 => Id::Own,
        back => Id::Drawn(back - 6),
    })
}

fn style(bytes: &mut Unstructured<'_>) -> Result<Style> {
    Ok(match bytes.int_in_range(0..=15)? {
        0 => Style::Lower,
        1 => Style::Padded,
        2 => Style::Missing,
        3 => Style::Broken(b" X"),
        4 => Style::Broken(b"\xff"),
        5 => Style::Broken(b"-NOT-ANY-GROUP-BUT-A-VERY-LONG-NAME-FOR-ONE"),
        _ => Style::Plain,
    })
}
