// What the relays carry, and how long it takes.

import type { Row } from '../frame';
import { alarms, heatmap, lines, unit } from '../parts';
import { sum, rate, total, quantile, mean, quantiles } from './queries';

export const traffic: Row = {
  title: 'Traffic',
  panels: [
    lines(
      {
        title: 'Datagrams',
        description: 'Datagrams in a second: received, handed to the kernel, and the replies among these.',
        runbook: 'operations.md#metrics',
        unit: unit.packets,
        width: 8,
      },
      [
        [total('relay_received_packets_total'), 'received'],
        [total('relay_sent_packets_total'), 'sent'],
        [total('relay_replies_total'), 'replies'],
      ],
    ),
    lines(
      {
        title: 'Bandwidth',
        description: 'Payload bits in a second, without the headers of UDP and IP (28 bytes a datagram).',
        runbook: 'operations.md#metrics',
        unit: unit.bits,
        width: 8,
      },
      [
        [`8 * ${total('relay_received_bytes_total')}`, 'received'],
        [`8 * ${total('relay_sent_bytes_total')}`, 'sent'],
      ],
    ),
    lines(
      {
        title: 'Fan-out',
        description: 'Members that each payload was meant for. Costs grow with the mean.',
        runbook: 'operations.md#metrics',
        unit: unit.count,
        width: 8,
      },
      [
        [mean('relay_fanout_recipients'), 'mean'],
        [quantile(0.5, 'relay_fanout_recipients'), 'p50'],
        [quantile(0.99, 'relay_fanout_recipients'), 'p99'],
      ],
    ),
    lines(
      {
        title: 'Clients, members, groups',
        description: 'Who is there. Many more clients than members means that people come and find no group.',
        runbook: 'operations.md#sizing',
        unit: unit.count,
        width: 8,
      },
      [
        [sum('relay_clients'), 'clients'],
        [sum('relay_members'), 'members'],
        [sum('relay_sessions'), 'extended sessions'],
        [sum('relay_groups'), 'groups'],
        [sum('relay_unjoined_groups'), 'groups nobody joined'],
      ],
    ),
    lines(
      {
        title: 'Commands',
        description: 'Commands received in a second. Pings come at the pace of the heartbeat.',
        runbook: 'protocol.md#commands',
        unit: unit.requests,
        width: 8,
      },
      [[`sum by (command) (${rate('relay_commands_total')})`, '{{command}}']],
    ),
    alarms(
      {
        title: 'Group events',
        description:
          'Groups created and deleted, members joined, left, and expired because they were silent for three heartbeats.',
        runbook: 'operations.md#metrics',
        unit: unit.operations,
        width: 8,
      },
      [[`sum by (event) (${rate('relay_group_events_total')})`, '{{event}}']],
    ),
  ],
};

export const connections: Row = {
  title: 'TCP',
  panels: [
    lines(
      {
        title: 'Connections',
        description: 'Clients by TCP, those included that have not joined anything or are being closed.',
        runbook: 'operations.md#tcp',
        unit: unit.count,
        width: 8,
      },
      [[sum('relay_tcp_connections'), 'connections']],
    ),
    lines(
      {
        title: 'Bytes that wait for connections',
        description: 'What is queued for readers that do not take it yet. Each queue is bounded; beyond, the oldest payloads are dropped.',
        runbook: 'operations.md#tcp',
        unit: unit.bytes,
        width: 8,
      },
      [[sum('relay_tcp_queued_bytes'), 'queued']],
    ),
    alarms(
      {
        title: 'Connections opened, refused and closed',
        description:
          'In a second. Refused: too many of one address, prefix or in all, or denied. Closed: idle and silent are half-open ones, deaf and overrun do not read their answers.',
        runbook: 'operations.md#tcp',
        unit: unit.operations,
        width: 8,
      },
      [
        [total('relay_tcp_accepted_total'), 'accepted'],
        [`sum by (reason) (${rate('relay_tcp_refused_total')})`, 'refused: {{reason}}'],
        [`sum by (reason) (${rate('relay_tcp_closed_total')})`, 'closed: {{reason}}'],
      ],
    ),
  ],
};

export const latency: Row = {
  title: 'Latency',
  panels: [
    lines(
      {
        title: 'Forwarding latency',
        description:
          'From the start of the turn that took a payload to the return of its last send. With --coalesce the wait for company is part of it.',
        runbook: 'operations.md#capacity-for-latency---coalesce',
        unit: unit.seconds,
        width: 12,
      },
      quantiles('relay_forward_latency_seconds'),
    ),
    heatmap(
      {
        title: 'Forwarding latency, how often',
        description:
          'Payloads in a second for each bucket of the latency. Two bands mean two kinds of traffic, or a shard that is sometimes held up.',
        runbook: 'operations.md#relaylatency',
        unit: unit.seconds,
        width: 12,
      },
      `sum by (le) (${rate('relay_forward_latency_seconds_bucket')})`,
    ),
    lines(
      {
        title: 'Turn time',
        description:
          'How long the turns of the shards take: receiving, deciding, sending. What waits in a socket waits for a turn.',
        runbook: 'operations.md#relaylatency',
        unit: unit.seconds,
        width: 8,
      },
      quantiles('relay_turn_seconds'),
    ),
    lines(
      {
        title: 'Datagrams in a turn',
        description:
          'Datagrams received in one turn. It grows with the load, and that is what makes a loaded relay cheap.',
        runbook: 'operations.md#metrics',
        unit: unit.count,
        width: 8,
      },
      [
        [mean('relay_receive_batch_packets'), 'mean'],
        [quantile(0.99, 'relay_receive_batch_packets'), 'p99'],
      ],
    ),
    lines(
      {
        title: 'Datagrams in a message',
        description:
          'Datagrams handed to the kernel in one message, which it cuts into segments. More is cheaper; --coalesce makes it more.',
        runbook: 'operations.md#capacity-for-latency---coalesce',
        unit: unit.count,
        width: 8,
      },
      [
        [mean('relay_send_segments'), 'mean'],
        [quantile(0.99, 'relay_send_segments'), 'p99'],
      ],
    ),
  ],
};
