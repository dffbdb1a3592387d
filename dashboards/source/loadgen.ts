// A load test: what was offered, what came back, who lost the rest, with the relay's view beside the generator's.

import { BigValueGraphMode, BigValueTextMode } from '@grafana/grafana-foundation-sdk/common';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';

import { dashboard, relays, type Row } from './frame';
import { alarms, heatmap, lines, stat, unit, type Query } from './parts';

const generator = 'job=~"$job", instance=~"$instance"';
const relay = 'job=~"$relay_job", instance=~"$relay"';

const rate = (metric: string, chosen = generator) => `rate(${metric}{${chosen}}[$__rate_interval])`;
const total = (metric: string, chosen = generator) => `sum(${rate(metric, chosen)})`;
const sum = (metric: string, chosen = generator) => `sum(${metric}{${chosen}})`;
const quantile = (share: number, metric: string, chosen = generator) =>
  `histogram_quantile(${share}, sum by (le) (${rate(`${metric}_bucket`, chosen)}))`;
/** A share of something that may be nothing. */
const share = (part: string, whole: string) => `${part} / clamp_min(${whole}, 1e-9)`;

const lost = share(
  `clamp_min(${total('loadgen_copies_expected_total')} - ${total('loadgen_copies_received_total')}, 0)`,
  total('loadgen_copies_expected_total'),
);

const glance: Row = {
  title: 'At a glance',
  panels: [
    stat(
      {
        title: 'Phase',
        description: 'What the generators are doing. Only what happens while measuring counts in the report.',
        runbook: 'loadgen.md#what-is-counted',
        unit: unit.count,
        width: 4,
      },
      [['max by (phase) (loadgen_phase{job=~"$job", instance=~"$instance"}) == 1', '{{phase}}']],
      ['green'],
    )
      .textMode(BigValueTextMode.Name)
      .graphMode(BigValueGraphMode.None),
    stat(
      {
        title: 'Members',
        description: 'Clients that are members of a group now, and those of the plan.',
        runbook: 'loadgen.md#how-clients-are-many',
        unit: unit.count,
        width: 5,
      },
      [
        [sum('loadgen_members'), 'members'],
        [sum('loadgen_clients'), 'planned'],
      ],
    ).graphMode(BigValueGraphMode.None),
    stat(
      {
        title: 'Groups',
        description: 'Groups that the generators have made and that exist.',
        runbook: 'loadgen.md#how-clients-are-many',
        unit: unit.count,
        width: 3,
      },
      [[sum('loadgen_groups'), 'groups']],
    ),
    stat(
      {
        title: 'Offered',
        description:
          'Copies in a second that had to arrive: for each payload, the members at that time except its sender.',
        runbook: 'loadgen.md#what-is-counted',
        unit: unit.packets,
        width: 4,
      },
      [[total('loadgen_copies_expected_total'), 'offered']],
    ),
    stat(
      {
        title: 'Delivered',
        description: 'Copies in a second that arrived, each counted once.',
        runbook: 'loadgen.md#what-is-counted',
        unit: unit.packets,
        width: 4,
      },
      [[total('loadgen_copies_received_total'), 'delivered']],
    ),
    stat(
      {
        title: 'Latency p99',
        description: '99 of 100 copies arrived within this time after their payload was to leave.',
        runbook: 'loadgen.md#what-is-counted',
        unit: unit.seconds,
        width: 4,
      },
      [[quantile(0.99, 'loadgen_latency_seconds'), 'p99']],
      ['green', [0.01, 'orange'], [0.05, 'red']],
    ),
  ],
};

const load: Row = {
  title: 'Offered against delivered',
  panels: [
    lines(
      {
        title: 'Copies',
        description:
          'Copies offered and delivered in a second, and what the relay says it meant to send. The three lines are one line as long as nothing is lost.',
        runbook: 'loadgen.md#what-is-counted',
        unit: unit.packets,
        width: 12,
      },
      [
        [total('loadgen_copies_expected_total'), 'offered'],
        [total('loadgen_copies_received_total'), 'delivered'],
        [total('relay_fanout_recipients_sum', relay), 'fanned out by the relay'],
      ],
    ),
    lines(
      {
        title: 'Payloads and heartbeats',
        description: 'Payloads handed to the kernel, PINGs and PONGs, and what the relay received.',
        runbook: 'loadgen.md#what-is-counted',
        unit: unit.packets,
        width: 12,
      },
      [
        [total('loadgen_payloads_sent_total'), 'payloads sent'],
        [total('loadgen_pings_sent_total'), 'PINGs sent'],
        [total('loadgen_pongs_received_total'), 'PONGs received'],
        [total('relay_received_packets_total', relay), 'received by the relay'],
      ],
    ),
    lines(
      {
        title: 'Loss',
        description:
          'Share of the offered copies that did not arrive. While the load changes, copies on their way show as loss, or as none.',
        runbook: 'loadgen.md#where-copies-were-lost',
        unit: unit.share,
        width: 8,
      },
      [[lost, 'loss']],
    ).axisSoftMax(0.01),
    lines(
      {
        title: 'Not arrived',
        description:
          'Copies of this measurement that have not arrived: on their way, or lost. A line that climbs and stays is loss.',
        runbook: 'loadgen.md#where-copies-were-lost',
        unit: unit.count,
        width: 8,
      },
      [[`sum by (job, instance) (loadgen_copies_lost{${generator}})`, '{{instance}}']],
    ),
    lines(
      {
        title: 'Late sends',
        description:
          'Share of the payloads that left more than 1 ms after their intended time. Above 10 % the run is invalid: the generator was the bottleneck.',
        runbook: 'loadgen.md#when-a-run-is-invalid',
        unit: unit.share,
        width: 8,
      },
      [[share(total('loadgen_late_sends_total'), total('loadgen_payloads_sent_total')), 'late']],
    ).axisSoftMax(0.1),
  ],
};

const quantiles: Query[] = [
  [quantile(0.5, 'loadgen_latency_seconds'), 'p50'],
  [quantile(0.9, 'loadgen_latency_seconds'), 'p90'],
  [quantile(0.99, 'loadgen_latency_seconds'), 'p99'],
  [quantile(0.999, 'loadgen_latency_seconds'), 'p99.9'],
];

const latency: Row = {
  title: 'Latency',
  panels: [
    lines(
      {
        title: 'End to end',
        description:
          'From the intended time of each payload to the arrival of each copy, however late the payload left.',
        runbook: 'loadgen.md#what-is-counted',
        unit: unit.seconds,
        width: 8,
      },
      quantiles,
    ),
    heatmap(
      {
        title: 'End to end, how often',
        description: 'Copies in a second for each bucket of the latency.',
        runbook: 'loadgen.md#what-is-counted',
        unit: unit.seconds,
        width: 8,
      },
      `sum by (le) (${rate('loadgen_latency_seconds_bucket')})`,
    ),
    lines(
      {
        title: 'In the relay',
        description:
          "The relay's own part: from the start of the turn that took a payload to the return of its last send.",
        runbook: 'operations.md#metrics',
        unit: unit.seconds,
        width: 8,
      },
      [
        [quantile(0.5, 'relay_forward_latency_seconds', relay), 'p50'],
        [quantile(0.99, 'relay_forward_latency_seconds', relay), 'p99'],
        [quantile(0.99, 'relay_turn_seconds', relay), 'turn p99'],
      ],
    ),
  ],
};

const blame: Row = {
  title: 'Who lost it?',
  panels: [
    alarms(
      {
        title: 'Lost by the generator',
        description:
          "Copies dropped in the generator's own receive queues, and datagrams that its kernel did not take. More than 1 % makes the run invalid.",
        runbook: 'loadgen.md#when-a-run-is-invalid',
        unit: unit.packets,
        width: 6,
      },
      [
        [total('loadgen_own_dropped_copies_total'), 'own receive queues'],
        [total('loadgen_send_failures_total'), 'not sent'],
      ],
    ),
    alarms(
      {
        title: 'Dropped by the relay, by reason',
        description: 'Copies that the relay could not send to one member.',
        runbook: 'operations.md#relaycopiesdropped',
        unit: unit.packets,
        width: 6,
      },
      [[`sum by (reason) (${rate('relay_dropped_copies_total', relay)})`, '{{reason}}']],
    ),
    alarms(
      {
        title: "Dropped in the relay's receive buffers",
        description:
          'Datagrams that the kernel dropped before the relay saw them; each was to become a whole fan-out of copies.',
        runbook: 'operations.md#relaykerneldrops',
        unit: unit.packets,
        width: 6,
      },
      [[`sum by (job, instance, shard) (${rate('relay_kernel_receive_dropped_total', relay)})`, '{{instance}} · {{shard}}']],
    ),
    alarms(
      {
        title: 'Wrong copies',
        description:
          'Copies that arrived again, after a later one, or broken. No relay of one shard reorders; no relay may break anything.',
        runbook: 'loadgen.md#what-is-counted',
        unit: unit.packets,
        width: 6,
      },
      [
        [total('loadgen_copies_duplicated_total'), 'duplicated'],
        [total('loadgen_copies_reordered_total'), 'reordered'],
        [total('loadgen_copies_corrupted_total'), 'corrupted'],
      ],
    ),
  ],
};

const machines: Row = {
  title: 'Generator and relay, side by side',
  panels: [
    lines(
      {
        title: 'Processor',
        description:
          'Processors in use: 1 is one of them, all the time. A generator without a processor to spare measures itself.',
        runbook: 'loadgen.md#when-a-run-is-invalid',
        unit: unit.count,
        width: 8,
      },
      [
        [`sum by (job, instance) (${rate('process_cpu_seconds_total')})`, 'generator {{instance}}'],
        [`sum by (job, instance) (${rate('process_cpu_seconds_total', relay)})`, 'relay {{instance}}'],
      ],
    ),
    lines(
      {
        title: 'Busiest shard',
        description: 'Share of its time that the busiest shard of each relay did not wait.',
        runbook: 'operations.md#relayshardsaturated',
        unit: unit.share,
        width: 8,
      },
      [[`max by (job, instance) (${rate('relay_shard_busy_seconds_total', relay)})`, '{{instance}}']],
    ),
    lines(
      {
        title: 'Memory',
        description: 'Resident memory.',
        runbook: 'loadgen.md#how-clients-are-many',
        unit: unit.bytes,
        width: 8,
      },
      [
        [`sum by (job, instance) (process_resident_memory_bytes{${generator}})`, 'generator {{instance}}'],
        [`sum by (job, instance) (process_resident_memory_bytes{${relay}})`, 'relay {{instance}}'],
      ],
    ),
    stat(
      {
        title: 'Versions',
        description: 'Versions of the generators and of the relays, and how these relays receive and send.',
        runbook: 'operations.md#metrics',
        unit: unit.count,
        width: 24,
      },
      [
        [`count by (version) (loadgen_build_info{${generator}})`, 'loadgen {{version}}'],
        [`count by (version, backend) (relay_build_info{${relay}})`, 'relay {{version}} on {{backend}}'],
      ],
      ['text'],
    )
      .textMode(BigValueTextMode.Name)
      .graphMode(BigValueGraphMode.None)
      .height(4),
  ],
};

export const loadgen: Dashboard = dashboard(
  'relay-loadgen',
  'Relay / Load test',
  "A load test as it runs: offered against delivered, latency, and whose fault a loss is; the generator's view beside the relay's.",
  [
    { name: 'job', label: 'Job', series: 'loadgen_build_info', of: 'job' },
    { name: 'instance', label: 'Generator', series: 'loadgen_build_info{job=~"$job"}', of: 'instance' },
    ...relays('relay_job', 'Relay job', 'relay', 'Relay'),
  ],
  [glance, load, latency, blame, machines],
);
