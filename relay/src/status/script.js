"use strict";
// Everything that comes from the relay is set as text, never as markup.
(() => {
  const EVERY = 1000, PATIENCE = 4000, KEY = "relay-status-token";
  const $ = (id) => document.getElementById(id);
  let last = null, answered = 0;

  const number = (value) => Math.round(value).toLocaleString("en-US");
  const short = (value) => {
    for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
      if (value >= size) return (value / (unit === "k" ? 1e3 : size)).toPrecision(3) + " " + unit;
    }
    return value < 10 && value % 1 ? value.toFixed(1) : number(value);
  };
  const bytes = (value) => {
    for (const [size, unit] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
      if (value >= size) return +(value / size).toPrecision(3) + " " + unit;
    }
    return number(value) + " B";
  };
  const seconds = (value) => value === null ? "none measured"
    : value < 1e-3 ? "≤ " + +(value * 1e6).toPrecision(3) + " µs"
    : value < 1 ? "≤ " + +(value * 1e3).toPrecision(3) + " ms" : "≤ " + value.toPrecision(3) + " s";
  const span = (value) => {
    const [d, h, m] = [value / 86400, value / 3600 % 24, value / 60 % 60].map(Math.floor);
    return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min ${Math.floor(value % 60)} s` : `${Math.floor(value)} s`;
  };
  const words = (name) => name.replaceAll("_", " ");

  const element = (tag, text, name) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (name) node.className = name;
    return node;
  };
  const gauge = (share, label, low, high) => {
    const node = element("meter");
    Object.assign(node, { min: 0, max: 1, low, high, optimum: 0, value: share, title: label });
    node.setAttribute("aria-label", label);
    return node;
  };
  // Each row: cells of text or nodes; the first is its heading.
  const fill = (id, rows) => {
    const body = $(id).tBodies[0];
    body.replaceChildren(...rows.map(({ cells, name, wide = cells.length }) => {
      const row = element("tr", undefined, name);
      cells.forEach((cell, at) => {
        const node = element(at ? "td" : "th", undefined, at >= wide ? "wide" : undefined);
        if (!at) node.scope = "row";
        node.append(...[cell].flat());
        row.append(node);
      });
      return row;
    }));
  };

  const SVG = "http://www.w3.org/2000/svg";
  const sparkline = (values) => {
    const svg = document.createElementNS(SVG, "svg"), path = document.createElementNS(SVG, "path");
    const top = Math.max(1, ...values), step = 240 / Math.max(1, values.length - 1);
    const points = values.map((value, at) => `${(at * step).toFixed(1)} ${(27 - 25 * value / top).toFixed(1)}`);
    svg.setAttribute("viewBox", "0 0 240 28");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", points.length > 1 ? "M" + points.join("L") : "");
    svg.append(path);
    return svg;
  };
  const tile = (name, value, more, history, bad) => {
    const node = element("div", undefined, bad ? "tile bad" : "tile"), list = element("dl");
    list.append(element("dt", name), element("dd", value), element("dd", more));
    node.append(list);
    if (history) node.append(sparkline(history));
    return node;
  };

  const headlines = {
    healthy: "Healthy", info: "Healthy, with a note", warning: "Needs a look", critical: "Clients suffer",
  };
  const showVerdict = ({ level, findings }) => {
    $("verdict").dataset.level = level;
    // A screen reader speaks when the sentence changes, not each second.
    if ($("headline").textContent !== headlines[level]) $("headline").textContent = headlines[level];
    $("findings").replaceChildren(...findings.map((finding) => {
      const item = element("li"), link = element("a", "what to do");
      link.href = "/runbook/" + encodeURIComponent(finding.runbook);
      item.append(element("span", finding.text), link);
      return item;
    }));
    document.title = level === "healthy" ? "relay" : `relay: ${headlines[level]}`;
  };

  const showTiles = (s) => {
    const { rates, present, history, totals, latency } = s;
    $("tiles").replaceChildren(
      tile("Received", short(rates.received_packets) + " /s", `${bytes(rates.received_bytes)}/s, ${number(totals.received_packets)} in all`, history.received_packets),
      tile("Sent", short(rates.sent_packets) + " /s", `${bytes(rates.sent_bytes)}/s, ${number(totals.sent_packets)} in all`, history.sent_packets),
      tile("Copies dropped", short(rates.dropped_copies) + " /s", `${number(totals.dropped_copies)} in all`, history.dropped_copies, rates.dropped_copies > 0),
      tile("Kernel drops", short(rates.kernel_dropped) + " /s", `${number(totals.kernel_dropped)} in all, before the relay saw them`, history.kernel_dropped, rates.kernel_dropped > 0),
      tile("Members", number(present.members), present.groups === 1 ? "in 1 group" : `in ${number(present.groups)} groups`),
      tile("Time in the relay", latency.p99_seconds_at_most === null ? "–" : seconds(latency.p99_seconds_at_most),
        latency.measured_payloads ? `99 of 100; half ${seconds(latency.p50_seconds_at_most)}` : "nothing measured in the last minute"),
    );
  };

  // The thread of the TCP connections, if there are any, is the last.
  const shardName = ({ tcp, shards }, shard) => tcp && shard === shards.at(-1) ? "tcp" : String(shard.shard);
  const showShards = (s) => {
    $("tcp-note").hidden = !s.tcp;
    fill("shards", s.shards.map((shard) => shardRow(shardName(s, shard), shard)));
  };
  const shardRow = (name, shard) => {
    const share = (shard.busy * 100).toFixed(0) + " %";
    return {
      wide: 5, name: shard.dropped_copies_rate + shard.kernel_dropped > 0 ? "" : undefined,
      cells: [name, [gauge(shard.busy, `busy ${share}`, 0.7, 0.9), " " + share],
        short(shard.received_packets_rate), short(shard.sent_packets_rate), number(shard.dropped_copies),
        number(shard.kernel_dropped), number(shard.clients),
        (100 * shard.receive_queue_bytes / Math.max(1, shard.receive_buffer_bytes)).toFixed(0) + " %"],
    };
  };

  const showDrops = ({ drops, totals, rates }) => {
    const row = (name, total, rate) =>
      ({ name: rate > 0 ? "bad" : total ? "" : "zero", cells: [name, number(total), rate === undefined ? "" : short(rate)] });
    const copies = Object.keys(drops.copies).map((reason) => row("copy: " + words(reason), drops.copies[reason], drops.copies_rate[reason]));
    const packets = Object.keys(drops.packets).map((reason) => row("received: " + words(reason), drops.packets[reason]));
    fill("drops", [...copies, row("kernel: receive buffer full", totals.kernel_dropped, rates.kernel_dropped), ...packets]);
  };

  const showLimits = (s) => {
    const { present, people, rates, driver, buffers, relay, shards } = s;
    const limit = (name, count, most) =>
      ({ cells: [name, number(count), number(most), gauge(count / most, `${name}: ${(100 * count / most).toFixed(0)} %`, 0.8, 0.95)] });
    fill("limits", [limit("clients", present.clients, present.clients_limit), limit("groups", present.groups, present.groups_limit),
      limit("groups nobody joined", present.unjoined_groups, present.unjoined_groups_limit),
      limit("names", people.names, people.names_limit), limit("stored messages: bytes", people.mail_bytes, people.mail_bytes_limit),
      limit("unproved members: bytes /s", rates.unproved_egress_bytes, present.unproved_egress_limit),
      { cells: ["unproved members", number(present.unproved_members), present.admission, ""] }]);
    const buffer = ({ granted_bytes, asked_bytes }) =>
      granted_bytes < asked_bytes ? `${bytes(granted_bytes)}, asked for ${bytes(asked_bytes)}` : bytes(granted_bytes);
    const rows = [["backend", relay.backend]];
    if (relay.sandbox) rows.push(["sandbox", [relay.sandbox.state].concat(relay.sandbox.lacks).join("; ")]);
    if (relay.fallback) rows.push(["not io_uring, because", relay.fallback.reason], ["what helps", relay.fallback.remedy || ""]);
    const overloaded = shards.filter((shard) => shard.overloaded).map((shard) => shardName(s, shard));
    rows.push(["shards that get more than they can do", overloaded.join(", ") || "none"], ["copies that wait", number(present.waiting_copies)], ["receive buffers free", number(driver.buffers_free)],
      ["found no receive buffer", number(driver.no_buffers)], ["receives armed again", number(driver.rearms)],
      ["completion queue was full", number(driver.cq_overflow)], ["receive errors", number(driver.receive_errors)],
      ["ICMP errors (can be forged)", number(driver.icmp_errors)], ["system calls", number(driver.enters)],
      ["receive buffer of a socket", buffer(buffers.receive)], ["send buffer of a socket", buffer(buffers.send)]);
    fill("driver", rows.map((cells) => ({ cells })));
  };

  const showPeople = ({ people }) => {
    fill("people", [["names online", number(people.online)], ["messages on their way", number(people.under_way)],
      ["recipients that do not answer", number(people.silent_recipients)], ["stored messages", number(people.mails)],
      ["sessions that watch", number(people.watchers)], ["the store", people.trouble || "works"]].map((cells) => ({ cells })));
    const since = [...Object.entries(people.messages).map(([name, count]) => ["messages: " + words(name), count]),
      ["pairs that were told each other's address", people.bridges]];
    fill("since", since.map(([name, count]) => ({ cells: [name, number(count)], name: count ? "" : "zero" })));
  };

  const showWorst = (worst) => {
    $("worst-lists").hidden = !worst.shown;
    $("worst-hint").hidden = worst.shown;
    $("token-form").hidden = worst.shown || worst.why !== "token_needed";
    if (!worst.shown) {
      $("worst-hint").textContent = worst.why === "token_needed" ? "Addresses are shown to who has the status token." : worst.hint;
      fill("worst", []);
      return;
    }
    $("recent-label").textContent = `Last ${span(worst.recent_seconds)}`;
    const list = worst[document.querySelector("input[name=span]:checked").value];
    const row = (receiver) => {
      const reasons = Object.entries(receiver.reasons).filter(([, count]) => count).map(([reason, count]) => `${words(reason)} ${number(count)}`);
      const exact = receiver.dropped_at_least === receiver.dropped_at_most;
      const count = exact ? number(receiver.dropped_at_most) : `${number(receiver.dropped_at_least)} to ${number(receiver.dropped_at_most)}`;
      return { cells: [element("span", receiver.address, "address"), count, reasons.join(", "), span(receiver.last_seconds_ago) + " ago"] };
    };
    fill("worst", list.receivers.length ? list.receivers.map(row) : [{ cells: ["nobody lost anything", "", "", ""], name: "zero" }]);
    $("worst-note").textContent = !list.receivers.length ? "" : `${number(list.dropped)} copies and replies in all. ` + (list.others_at_most
      ? `Nobody who is not listed lost more than ${number(list.others_at_most)}.` : "Nobody else lost any.");
  };

  const showRequests = ({ requests }) => {
    const rows = (counts) => Object.entries(counts).map(([name, count]) => ({ cells: [words(name), number(count)], name: count ? "" : "zero" }));
    fill("commands", rows(requests.commands));
    fill("events", rows(requests.group_events));
    fill("refused", rows(requests.refused));
  };

  const showConfiguration = ({ options, declared_groups }) => {
    fill("configuration", options.map((option) => ({
      name: option.source === "default" ? "zero" : "set", cells: [option.name, option.value || "–", option.place],
    })));
    $("configuration-note").textContent = `The file declares ${number(declared_groups)} groups. A reload (SIGHUP) takes over: ` +
      options.filter((option) => option.live).map((option) => option.name).join(", ") + ".";
  };

  const show = (s) => {
    $("version").textContent = s.relay.version;
    $("where").textContent = `${s.relay.addresses.join(", ")}, ${s.relay.backend}, up ${span(s.relay.uptime_seconds)}`;
    showVerdict(s.verdict);
    showTiles(s);
    showShards(s);
    showDrops(s);
    showLimits(s);
    showWorst(s.worst_receivers);
    showPeople(s);
    showRequests(s);
    showConfiguration(s.configuration);
  };

  const clock = (time) => new Date(time).toLocaleTimeString("en-GB");
  const gone = () => {
    if (!answered || Date.now() - answered > PATIENCE) {
      document.body.dataset.state = "gone";
      $("headline").textContent = "No answer from the relay";
      $("findings").replaceChildren();
      $("freshness").textContent = answered ? `What you see is of ${clock(answered)}` : "It has not answered yet";
      document.title = "relay: no answer";
    }
  };

  const load = async () => {
    const token = sessionStorage.getItem(KEY);
    const headers = token ? { Authorization: "Bearer " + token } : {};
    try {
      const response = await fetch("/status.json", { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (response.status === 401) {
        sessionStorage.removeItem(KEY);
        if (token) $("token-wrong").textContent = "That is not the token.";
        if (!last) {
          $("headline").textContent = "The relay asks for the status token";
          $("token-form").hidden = false;
        }
        return;
      }
      if (!response.ok) throw new Error(String(response.status));
      last = await response.json();
      answered = Date.now();
      document.body.dataset.state = "live";
      $("freshness").textContent = clock(answered);
      show(last);
    } catch {
      gone();
    }
  };

  $("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, $("token").value.trim());
    $("token").value = "";
    $("token-wrong").textContent = "";
    load();
  });
  document.querySelectorAll("input[name=span]").forEach((radio) => radio.addEventListener("change", () => last && showWorst(last.worst_receivers)));

  const turn = async () => {
    if (!document.hidden) await load();
    setTimeout(turn, EVERY);
  };
  document.addEventListener("visibilitychange", () => !document.hidden && load());
  turn();
})();
