//! How the relay changes its stance: by what it sees, and by a reload.

use super::{far, join_with_proof};
use crate::support::{Cable, Client, NEAR, Relay, RelayOptions, eventually};

/// More than those that never alarm it.
const LISTENERS: usize = 300;

fn admission(relay: &Relay) -> String {
    let status: serde_json::Value = serde_json::from_str(&relay.http("/status.json").1).expect("JSON");
    status["present"]["admission"].as_str().expect("a word").to_owned()
}

#[test]
fn many_silent_members_make_it_guarded_and_it_relaxes_when_they_are_gone() {
    Cable::lay(|cable| {
        let flags = ["--host", NEAR, "--heartbeat", "2", "--sweep", "0.1", "--cap", "none"];
        let relay = RelayOptions::plain().with(flags).start();
        let [creator, latecomer] = [(); 2].map(|()| far(cable, &relay));
        let group = creator.create();
        creator.join(&group);
        let silent: Vec<Client> = (0..LISTENERS).map(|_| far(cable, &relay)).collect();
        let gauge = |name: &str| relay.metric(name, "");
        eventually("the relay is guarded", || {
            // Nobody is alarmed in the first heartbeats, after which they may be gone.
            if gauge("relay_unproved_members") == 0.0 {
                silent.iter().for_each(|client| client.join(&group));
            }
            assert!(creator.ask("!PING").starts_with("PONG "));
            (gauge("relay_admission_guarded") == 1.0).then_some(())
        });
        assert_eq!(gauge("relay_dropped_copies_total"), 0.0, "not by the cap");
        let line = relay.wait_for_log("the relay is guarded");
        assert!(line.contains("never heard of again"), "{line}");
        assert!(latecomer.ask(format!("!JOIN {group}")).starts_with("ERR RETRY "));
        let stays = || assert!(creator.ask("!PING").starts_with("PONG "));
        eventually("the silent ones are gone", || {
            stays();
            (gauge("relay_silent_unproved_members") == 0.0).then_some(())
        });
        eventually("the relay is at peace", || {
            stays();
            (gauge("relay_admission_guarded") == 0.0).then_some(())
        });
        for to in ["guarded", "peace"] {
            assert_eq!(relay.metric("relay_admission_changes_total", &format!("to=\"{to}\"")), 1.0);
        }
        latecomer.join(&group);
        creator.send("welcome");
        assert_eq!(latecomer.hear(), "welcome");
    });
}

#[test]
fn a_reload_changes_it_while_members_talk() {
    Cable::lay(|cable| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("relay.toml");
        let write = |mode: &str| std::fs::write(&file, format!("admission = '{mode}'\n")).unwrap();
        write("open");
        let flags = ["--host", NEAR, "--shards", "1", "--config", file.to_str().unwrap()];
        let relay = RelayOptions::plain().with(flags).start();
        let [creator, prompt, patient] = [(); 3].map(|()| far(cable, &relay));
        let group = creator.create();
        [&creator, &prompt, &patient].iter().for_each(|client| client.join(&group));
        let mut number = 0;
        let mut all_talk = |hearing: &[&Client], deaf: &[&Client]| {
            for speaker in hearing.iter().chain(deaf) {
                number += 1;
                let text = format!("number {number}");
                speaker.send(&text);
                let others = hearing.iter().filter(|other| other.address() != speaker.address());
                others.for_each(|other| assert_eq!(other.hear(), text));
                // Had it been sent something, that had come before.
                deaf.iter().for_each(|other| assert!(other.ask("!PING").starts_with("PONG ")));
            }
        };
        let reload = |mode: &str, shown: &str| {
            write(mode);
            relay.signal("HUP");
            eventually("it is in force", || (admission(&relay) == shown).then_some(()));
        };
        assert_eq!(admission(&relay), "open");
        all_talk(&[&creator, &prompt, &patient], &[]);
        reload("strict", "strict");
        all_talk(&[&creator], &[&prompt, &patient]);
        join_with_proof(&prompt, &group, " ");
        all_talk(&[&creator, &prompt], &[&patient]);
        reload("auto", "peace");
        all_talk(&[&creator, &prompt, &patient], &[]);
        assert_eq!(relay.metric("relay_unproved_members", ""), 1.0);
        reload("open", "open");
        all_talk(&[&creator, &prompt, &patient], &[]);
        assert_eq!(relay.metric("relay_members", ""), 3.0);
        // Of no change that was wanted anybody is told as of an attack.
        assert_eq!(relay.metric("relay_admission_changes_total", ""), 0.0);
    });
}
