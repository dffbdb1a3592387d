// The overview of the relays: are they well, is anything lost, where is the limit.

import { BigValueGraphMode } from '@grafana/grafana-foundation-sdk/common';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';

import { dashboard, type Row } from './frame';
import { alarms, bars, column, filling, heatmap, lines, noneIsGood, stat, table, unit } from './parts';

const chosen = 'job=~"$job", instance=~"$instance"';

/** Sum over all relays that are chosen. */
const sum = (metric: string) => `sum(${metric}{${chosen}})`;
const rate = (metric: string, more = '') => `rate(${metric}{${chosen}${more}}[$__rate_interval])`;
const total = (metric: string, more = '') => `sum(${rate(metric, more)})`;
const quantile = (share: number, metric: string) => `histogram_quantile(${share}, sum by (le) (${rate(`${metric}_bucket`)}))`;
const mean = (metric: string) => `${total(`${metric}_sum`)} / ${total(`${metric}_count`)}`;
/** A share of something that may be nothing. */
const share = (part: string, whole: string) => `${part} / clamp_min(${whole}, 1e-9)`;

const quantiles = (metric: string): [string, string][] => [
  [quantile(0.5, metric), 'p50'],
  [quantile(0.9, metric), 'p90'],
  [quantile(0.99, metric), 'p99'],
  [quantile(0.999, metric), 'p99.9'],
];

/** How full something is, for each relay: what there is of what there may be. */
const full = (metric: string, limit: string) =>
  `sum by (job, instance) (${metric}{${chosen}}) / sum by (job, instance) (${limit}{${chosen}})`;
const ceilings: [string, string][] = [
  [full('relay_clients', 'relay_clients_limit'), 'clients'],
  [full('relay_groups', 'relay_groups_limit'), 'groups'],
  [full('relay_unjoined_groups', 'relay_unjoined_groups_limit'), 'groups nobody joined'],
  [full('process_open_fds', 'process_max_fds'), 'file descriptors'],
];

const serving = `relay_ready{${chosen}} or on (job, instance) up{${chosen}} * 0`;
const busy = `rate(relay_shard_busy_seconds_total{${chosen}}[$__rate_interval])`;
const shard = '{{instance}} · {{shard}}';

const glance: Row = {
  title: 'At a glance',
  panels: [
    stat(
      {
        title: 'Relays',
        description: 'Relays that serve, and relays that do not: starting, stopping, or not answering the scrape.',
        runbook: 'operations.md#health',
        unit: unit.count,
        width: 4,
      },
      [
        [`sum(${serving})`, 'serving'],
        [`count(${serving}) - sum(${serving})`, 'not serving'],
      ],
      noneIsGood,
    )
      .graphMode(BigValueGraphMode.None)
      .overrideByName('serving', [{ id: 'color', value: { mode: 'fixed', fixedColor: 'green' } }]),
    stat({ title: 'Clients', description: 'Everyone who speaks to a relay, in a group or not.', runbook: 'operations.md#metrics', unit: unit.count, width: 3 }, [
      [sum('relay_clients'), 'clients'],
    ]),
    stat({ title: 'Members', description: 'Members of all groups.', runbook: 'operations.md#metrics', unit: unit.count, width: 3 }, [
      [sum('relay_members'), 'members'],
    ]),
    stat({ title: 'Groups', description: 'Groups that exist, the empty ones included.', runbook: 'operations.md#metrics', unit: unit.count, width: 3 }, [
      [sum('relay_groups'), 'groups'],
    ]),
    stat({ title: 'Received', description: 'Datagrams received in a second.', runbook: 'operations.md#metrics', unit: unit.packets, width: 3 }, [
      [total('relay_received_packets_total'), 'received'],
    ]),
    stat(
      {
        title: 'Deliveries',
        description: 'Copies of payloads that were handed to the kernel in a second: what was meant for members, less what was dropped.',
        runbook: 'operations.md#metrics',
        unit: unit.packets,
        width: 4,
      },
      [[`clamp_min(${total('relay_fanout_recipients_sum')} - ${total('relay_dropped_copies_total')}, 0)`, 'deliveries']],
    ),
    stat(
      {
        title: 'Forwarding p99',
        description: '99 of 100 measured payloads were sent to all members within this time. It has the steps of a histogram whose buckets double.',
        runbook: 'operations.md#metrics',
        unit: unit.seconds,
        width: 4,
      },
      [[quantile(0.99, 'relay_forward_latency_seconds'), 'p99']],
      ['green', [0.01, 'orange'], [0.05, 'red']],
    ),
    stat(
      {
        title: 'Copies dropped',
        description: 'Of all copies that were meant for members, the share that the relay could not send. "Copies dropped, by reason" says why.',
        runbook: 'operations.md#metrics',
        unit: unit.share,
        width: 5,
      },
      [[share(total('relay_dropped_copies_total'), total('relay_fanout_recipients_sum')), 'dropped']],
      ['green', [1e-6, 'orange'], [0.01, 'red']],
    ).decimals(2),
    stat(
      {
        title: 'Dropped by the kernel',
        description: 'Datagrams lost before the relay saw them, because a receive buffer was full.',
        runbook: 'operations.md#socket-buffers',
        unit: unit.packets,
        width: 5,
      },
      [[total('relay_kernel_receive_dropped_total'), 'kernel drops']],
      ['green', [1e-9, 'orange'], [100, 'red']],
    ),
    stat(
      {
        title: 'Busiest shard',
        description: 'Share of its time that the busiest shard of all did not wait. Above 0.8 its processor is the limit: more shards, or another relay.',
        runbook: 'operations.md#metrics',
        unit: unit.share,
        width: 5,
      },
      [[`max(${busy})`, 'busiest']],
      ['green', [0.8, 'orange'], [0.95, 'red']],
    ).decimals(1),
    stat(
      {
        title: 'Nearest limit',
        description: 'How full the fullest of all ceilings is: clients, groups, groups that nobody joined, file descriptors. "Limits" says which.',
        runbook: 'operations.md#flags-environment-file',
        unit: unit.share,
        width: 5,
      },
      [[`max(${ceilings.map(([expression]) => `max(${expression})`).map((each, index) => `label_replace(${each}, "limit", "${index}", "", "")`).join(' or ')})`, 'nearest']],
      filling,
    ).decimals(1),
    stat(
      {
        title: 'Alerts',
        description: 'Alerts of these relays that are firing now.',
        runbook: 'operations.md#alerts',
        unit: unit.count,
        width: 4,
      },
      [[`count(ALERTS{alertstate="firing", ${chosen}}) or vector(0)`, 'firing']],
      ['green', [1, 'red']],
    ),
  ],
};

const losses: Row = {
  title: 'Is anything lost or refused?',
  panels: [
    alarms(
      {
        title: 'Copies dropped, by reason',
        description: 'Copies that one member did not get. send_buffer_full: a slow link or queue; backlog: more than a turn sends; the others name what the kernel said of the route.',
        runbook: 'operations.md#metrics',
        unit: unit.packets,
        width: 8,
      },
      [[`sum by (reason) (${rate('relay_dropped_copies_total')})`, '{{reason}}']],
    ),
    alarms(
      {
        title: 'Datagrams dropped without an answer',
        description: 'Datagrams that deserve no answer, because one would make loops or help an attacker. A steady rate means a broken or hostile sender.',
        runbook: 'operations.md#metrics',
        unit: unit.packets,
        width: 8,
      },
      [[`sum by (reason) (${rate('relay_dropped_packets_total')})`, '{{reason}}']],
    ),
    alarms(
      {
        title: 'Requests refused, by reason',
        description: 'Datagrams that were answered with an error, by its code.',
        runbook: 'operations.md#metrics',
        unit: unit.requests,
        width: 8,
      },
      [[`sum by (reason) (${rate('relay_requests_refused_total')})`, '{{reason}}']],
    ),
    alarms(
      {
        title: 'Dropped by the kernel, by shard',
        description: 'Datagrams that found a full receive buffer. One shard alone: its flows are uneven. All: the relay is too slow, or the buffers are small.',
        runbook: 'operations.md#socket-buffers',
        unit: unit.packets,
        width: 8,
      },
      [[`sum by (instance, shard) (${rate('relay_kernel_receive_dropped_total')})`, shard]],
    ),
    lines(
      {
        title: 'Receive queue against its buffer',
        description: 'How full the receive buffers are. A full one drops; one that is often half full is about to.',
        runbook: 'operations.md#socket-buffers',
        unit: unit.share,
        width: 8,
      },
      [
        [
          `sum by (instance, shard) (relay_socket_receive_queue_bytes{${chosen}}) / sum by (instance, shard) (relay_socket_buffer_bytes{${chosen}, direction="receive"})`,
          shard,
        ],
      ],
    ).axisSoftMax(0.1),
    alarms(
      {
        title: 'Errors from the network',
        description: 'ICMP errors about earlier sends (members that went away without a word; they can be forged), and receives that failed.',
        runbook: 'operations.md#metrics',
        unit: unit.operations,
        width: 8,
      },
      [
        [total('relay_icmp_errors_total'), 'ICMP errors'],
        [total('relay_receive_errors_total'), 'failed receives'],
      ],
    ),
  ],
};

const traffic: Row = {
  title: 'Traffic',
  panels: [
    lines({ title: 'Datagrams', description: 'Datagrams in a second: received, handed to the kernel, and the replies among these.', runbook: 'operations.md#metrics', unit: unit.packets, width: 8 }, [
      [total('relay_received_packets_total'), 'received'],
      [total('relay_sent_packets_total'), 'sent'],
      [total('relay_replies_total'), 'replies'],
    ]),
    lines({ title: 'Bandwidth', description: 'Payload bits in a second, without the headers of UDP and IP (28 bytes a datagram).', runbook: 'operations.md#metrics', unit: unit.bits, width: 8 }, [
      [`8 * ${total('relay_received_bytes_total')}`, 'received'],
      [`8 * ${total('relay_sent_bytes_total')}`, 'sent'],
    ]),
    lines({ title: 'Fan-out', description: 'Members that each payload was meant for. Costs grow with the mean.', runbook: 'operations.md#metrics', unit: unit.count, width: 8 }, [
      [mean('relay_fanout_recipients'), 'mean'],
      [quantile(0.5, 'relay_fanout_recipients'), 'p50'],
      [quantile(0.99, 'relay_fanout_recipients'), 'p99'],
    ]),
    lines({ title: 'Clients, members, groups', description: 'Who is there. Many more clients than members means that people come and find no group.', runbook: 'operations.md#memory', unit: unit.count, width: 8 }, [
      [sum('relay_clients'), 'clients'],
      [sum('relay_members'), 'members'],
      [sum('relay_groups'), 'groups'],
      [sum('relay_unjoined_groups'), 'groups nobody joined'],
    ]),
    lines({ title: 'Commands', description: 'Commands received in a second. Pings come at the pace of the heartbeat.', runbook: 'protocol.md#commands', unit: unit.requests, width: 8 }, [
      [`sum by (command) (${rate('relay_commands_total')})`, '{{command}}'],
    ]),
    alarms({ title: 'Group events', description: 'Groups created and deleted, members joined, left, and expired because they were silent for three heartbeats.', runbook: 'operations.md#metrics', unit: unit.operations, width: 8 }, [
      [`sum by (event) (${rate('relay_group_events_total')})`, '{{event}}'],
    ]),
  ],
};

const latency: Row = {
  title: 'Latency',
  panels: [
    lines(
      {
        title: 'Forwarding latency',
        description: 'From the start of the turn that took a payload to the return of its last send. With --coalesce the wait for company is part of it.',
        runbook: 'operations.md#capacity-for-latency---coalesce',
        unit: unit.seconds,
        width: 12,
      },
      quantiles('relay_forward_latency_seconds'),
    ),
    heatmap(
      {
        title: 'Forwarding latency, how often',
        description: 'Payloads in a second for each bucket of the latency. Two bands mean two kinds of traffic, or a shard that is sometimes held up.',
        runbook: 'operations.md#metrics',
        unit: unit.seconds,
        width: 12,
      },
      `sum by (le) (${rate('relay_forward_latency_seconds_bucket')})`,
    ),
    lines({ title: 'Turn time', description: 'How long the turns of the shards take: receiving, deciding, sending. What waits in a socket waits for a turn.', runbook: 'operations.md#metrics', unit: unit.seconds, width: 8 }, quantiles('relay_turn_seconds')),
    lines({ title: 'Datagrams in a turn', description: 'Datagrams received in one turn. It grows with the load, and that is what makes a loaded relay cheap.', runbook: 'operations.md#metrics', unit: unit.count, width: 8 }, [
      [mean('relay_receive_batch_packets'), 'mean'],
      [quantile(0.99, 'relay_receive_batch_packets'), 'p99'],
    ]),
    lines({ title: 'Datagrams in a message', description: 'Datagrams handed to the kernel in one message, which it cuts into segments. More is cheaper; --coalesce makes it more.', runbook: 'operations.md#capacity-for-latency---coalesce', unit: unit.count, width: 8 }, [
      [mean('relay_send_segments'), 'mean'],
      [quantile(0.99, 'relay_send_segments'), 'p99'],
    ]),
  ],
};

const shards: Row = {
  title: 'Shards',
  panels: [
    lines({ title: 'Busy', description: 'Share of its time that each shard did not wait.', runbook: 'operations.md#metrics', unit: unit.share, width: 8 }, [[busy, shard]]),
    lines({ title: 'Received, by shard', description: 'Datagrams in a second. The kernel spreads flows (address and port), not datagrams: few clients spread unevenly.', runbook: 'operations.md#metrics', unit: unit.packets, width: 8 }, [
      [`sum by (instance, shard) (${rate('relay_received_packets_total')})`, shard],
    ]),
    lines({ title: 'Sent, by shard', description: 'Datagrams in a second that each shard handed to the kernel.', runbook: 'operations.md#metrics', unit: unit.packets, width: 8 }, [
      [`sum by (instance, shard) (${rate('relay_sent_packets_total')})`, shard],
    ]),
    lines({ title: 'Clients, by shard', description: 'Clients of each shard: its flows.', runbook: 'operations.md#metrics', unit: unit.count, width: 8 }, [
      [`sum by (instance, shard) (relay_clients{${chosen}})`, shard],
    ]),
    lines(
      {
        title: 'Imbalance',
        description: 'What the busiest shard of a relay receives, as a multiple of the mean of its shards. 1 is even.',
        runbook: 'operations.md#metrics',
        unit: unit.count,
        width: 8,
      },
      [
        [
          `max by (instance) (sum by (instance, shard) (${rate('relay_received_packets_total')})) / clamp_min(avg by (instance) (sum by (instance, shard) (${rate('relay_received_packets_total')})), 1e-9)`,
          '{{instance}}',
        ],
      ],
    ),
    lines({ title: 'Copies that wait', description: 'Copies of payloads that wait for a later turn, or for company. Beyond the bound the oldest are dropped as backlog.', runbook: 'operations.md#metrics', unit: unit.count, width: 8 }, [
      [`sum by (instance, shard) (relay_waiting_copies{${chosen}})`, shard],
    ]),
  ],
};

const ring: Row = {
  title: 'Ring and system calls',
  panels: [
    lines({ title: 'System calls', description: 'System calls in a second that moved datagrams, on either backend.', runbook: 'operations.md#backends', unit: unit.calls, width: 8 }, [
      [`sum by (instance) (${rate('relay_ring_enters_total')})`, '{{instance}}'],
    ]),
    lines({ title: 'Receive buffers free', description: 'Receive buffers of the ring that are free. At 0 datagrams wait in the socket.', runbook: 'operations.md#backends', unit: unit.count, width: 8 }, [
      [`sum by (instance) (relay_ring_buffers_free{${chosen}})`, '{{instance}}'],
    ]),
    alarms({ title: 'Ring events', description: 'Receives armed again, times without a free receive buffer, completions that waited in the kernel. All are survived; often means overload.', runbook: 'operations.md#backends', unit: unit.operations, width: 8 }, [
      [total('relay_ring_rearms_total'), 'armed again'],
      [total('relay_ring_no_buffers_total'), 'no buffers'],
      [total('relay_ring_cq_overflow_total'), 'completions waited'],
    ]),
  ],
};

const limits: Row = {
  title: 'Limits, process, versions',
  panels: [
    bars(
      {
        title: 'Limits',
        description: 'How full each ceiling of the fullest relay is. At 100 % the next one is refused.',
        runbook: 'operations.md#flags-environment-file',
        unit: unit.share,
        width: 6,
      },
      ceilings.map(([expression, name]) => [`max(${expression})`, name]),
    ).decimals(1),
    lines({ title: 'Processor', description: 'Processors in use by each relay: 1 is one of them, all the time.', runbook: 'operations.md#metrics', unit: unit.count, width: 6 }, [
      [`sum by (instance) (${rate('process_cpu_seconds_total')})`, '{{instance}}'],
    ]),
    lines({ title: 'Memory', description: 'Resident memory of each relay.', runbook: 'operations.md#memory', unit: unit.bytes, width: 6 }, [
      [`sum by (instance) (process_resident_memory_bytes{${chosen}})`, '{{instance}}'],
    ]),
    lines({ title: 'Descriptors and threads', description: 'Open file descriptors and threads.', runbook: 'operations.md#metrics', unit: unit.count, width: 6 }, [
      [`sum by (instance) (process_open_fds{${chosen}})`, '{{instance}} descriptors'],
      [`sum by (instance) (process_threads{${chosen}})`, '{{instance}} threads'],
    ]),
    column(
      column(
        column(
        table(
          {
            title: 'Versions and backends',
            description: 'Version and backend of each relay, why io_uring is not used where it was to be tried, and how long it runs: a short time that stays short is a restart loop.',
            runbook: 'operations.md#backends',
            unit: '',
            width: 24,
          },
          [
            `max by (job, instance, version, backend) (relay_build_info{${chosen}})`,
            `max by (job, instance) (time() - process_start_time_seconds{${chosen}} and on (job, instance) relay_build_info)`,
            `max by (job, instance, reason) (relay_backend_fallback_info{${chosen}})`,
            `max by (job, instance) (relay_ready{${chosen}})`,
            `max by (job, instance) (process_virtual_memory_bytes{${chosen}})`,
          ],
          {
            instance: 'Instance',
            job: 'Job',
            version: 'Version',
            backend: 'Backend',
            reason: 'Why not io_uring',
            'Value #D': 'Ready',
            'Value #B': 'Up for',
            'Value #E': 'Memory mapped',
          },
        ),
        'Up for',
        unit.seconds,
        ['orange', [300, 'green']],
      ), 'Memory mapped', unit.bytes),
      'Ready',
      'bool_yes_no',
      ['red', [1, 'green']],
    ).overrideByName('Why not io_uring', [{ id: 'custom.width', value: 420 as unknown as object }]),
  ],
};

export const relay: Dashboard = dashboard(
  'relay',
  'Relay',
  'How the relays are doing: what they carry, what is lost and why, how long it takes, and how near the limits are.',
  [
    { name: 'job', label: 'Job', series: 'relay_build_info', of: 'job' },
    { name: 'instance', label: 'Instance', series: 'relay_build_info{job=~"$job"}', of: 'instance' },
  ],
  [glance, losses, traffic, latency, shards, ring, limits],
);
