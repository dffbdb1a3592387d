// Are the relays well, and is anything lost?

import { BigValueGraphMode } from '@grafana/grafana-foundation-sdk/common';

import type { Row } from '../frame';
import { alarms, filling, lines, noneIsGood, stat, unit } from '../parts';
import { chosen, sum, rate, total, quantile, share, ceilings, serving, busy, shard } from './queries';

export const glance: Row = {
  title: 'At a glance',
  panels: [
    stat(
      {
        title: 'Relays',
        description: 'Relays that serve, relays that do not (starting, stopping, or not answering the scrape), and shards that do not turn.',
        runbook: 'operations.md#relaynotready',
        unit: unit.count,
        width: 4,
      },
      [
        [`sum(${serving}) or vector(0)`, 'serving'],
        [`count(${serving}) - sum(${serving}) or vector(0)`, 'not serving'],
        [`${sum('relay_shard_stalled')} or vector(0)`, 'stalled shards'],
      ],
      noneIsGood,
    )
      .graphMode(BigValueGraphMode.None)
      .overrideByName('serving', [{ id: 'color', value: { mode: 'fixed', fixedColor: 'green' } }]),
    stat(
      {
        title: 'Clients',
        description: 'Everyone who speaks to a relay, in a group or not.',
        runbook: 'operations.md#metrics',
        unit: unit.count,
        width: 3,
      },
      [[sum('relay_clients'), 'clients']],
    ),
    stat(
      {
        title: 'Members',
        description: 'Members of all groups.',
        runbook: 'operations.md#metrics',
        unit: unit.count,
        width: 3,
      },
      [[sum('relay_members'), 'members']],
    ),
    stat(
      {
        title: 'Groups',
        description: 'Groups that exist, the empty ones included.',
        runbook: 'operations.md#metrics',
        unit: unit.count,
        width: 3,
      },
      [[sum('relay_groups'), 'groups']],
    ),
    stat(
      {
        title: 'Received',
        description: 'Datagrams received in a second.',
        runbook: 'operations.md#metrics',
        unit: unit.packets,
        width: 3,
      },
      [[total('relay_received_packets_total'), 'received']],
    ),
    stat(
      {
        title: 'Deliveries',
        description:
          'Copies of payloads that were handed to the kernel in a second: what was meant for members, less what was dropped.',
        runbook: 'operations.md#metrics',
        unit: unit.packets,
        width: 4,
      },
      [
        [
          `clamp_min(${total('relay_fanout_recipients_sum')} - ${total('relay_dropped_copies_total')}, 0)`,
          'deliveries',
        ],
      ],
    ),
    stat(
      {
        title: 'Forwarding p99',
        description:
          '99 of 100 measured payloads were sent to all members within this time. It has the steps of a histogram whose buckets double.',
        runbook: 'operations.md#relaylatency',
        unit: unit.seconds,
        width: 4,
      },
      [[quantile(0.99, 'relay_forward_latency_seconds'), 'p99']],
      ['green', [0.01, 'orange'], [0.05, 'red']],
    ),
    stat(
      {
        title: 'Copies dropped',
        description:
          'Of all copies that were meant for members, the share that the relay could not send. "Copies dropped, by reason" says why.',
        runbook: 'operations.md#relaycopiesdropped',
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
        runbook: 'operations.md#relaykerneldrops',
        unit: unit.packets,
        width: 5,
      },
      [[total('relay_kernel_receive_dropped_total'), 'kernel drops']],
      ['green', [1e-9, 'orange'], [100, 'red']],
    ),
    stat(
      {
        title: 'Busiest shard',
        description:
          'Share of its time that the busiest shard of all did not wait. Above 0.8 its processor is the limit: more shards, or another relay.',
        runbook: 'operations.md#relayshardsaturated',
        unit: unit.share,
        width: 5,
      },
      [[`max(${busy})`, 'busiest']],
      ['green', [0.8, 'orange'], [0.95, 'red']],
    ).decimals(1),
    stat(
      {
        title: 'Nearest limit',
        description:
          'How full the fullest of all ceilings is: clients, groups, groups that nobody joined, file descriptors. "Limits" says which.',
        runbook: 'operations.md#relaynearlimit',
        unit: unit.share,
        width: 5,
      },
      [
        [
          `max(${ceilings
            .map(([expression]) => `max(${expression})`)
            .map((each, index) => `label_replace(${each}, "limit", "${index}", "", "")`)
            .join(' or ')})`,
          'nearest',
        ],
      ],
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
      // The alert that there is no target at all is about no instance.
      [[`count(ALERTS{alertname=~"Relay.*", alertstate="firing", job=~"$job", instance=~"$instance|"}) or vector(0)`, 'firing']],
      ['green', [1, 'red']],
    ),
  ],
};

export const losses: Row = {
  title: 'Is anything lost or refused?',
  panels: [
    alarms(
      {
        title: 'Copies dropped, by reason',
        description:
          'Copies that one member did not get. send_buffer_full: a slow link or queue; backlog: more than a turn sends; tcp_slow: a connection that is not read; the others name what the kernel said of the route.',
        runbook: 'operations.md#relaycopiesdropped',
        unit: unit.packets,
        width: 8,
      },
      [[`sum by (reason) (${rate('relay_dropped_copies_total')})`, '{{reason}}']],
    ),
    alarms(
      {
        title: 'Datagrams dropped without an answer',
        description:
          'Datagrams that deserve no answer, because one would make loops or help an attacker. A steady rate means a broken or hostile sender.',
        runbook: 'operations.md#metrics',
        unit: unit.packets,
        width: 8,
      },
      [[`sum by (reason) (${rate('relay_dropped_packets_total')})`, '{{reason}}']],
    ),
    alarms(
      {
        title: 'Requests refused, by reason',
        description:
          'Datagrams that were answered with an error, by its code, or by what is full; and requests whose prefix has had all its answers or guesses and was asked for a proof.',
        runbook: 'operations.md#abuse',
        unit: unit.requests,
        width: 8,
      },
      [
        [`sum by (reason) (${rate('relay_requests_refused_total')})`, '{{reason}}'],
        [`sum by (reason) (${rate('relay_throttled_requests_total')})`, 'throttled for its {{reason}}'],
      ],
    ),
    alarms(
      {
        title: 'Dropped by the kernel, by shard',
        description:
          'Datagrams that found a full receive buffer, and payloads that an overloaded shard shed before it received them. One shard alone: its flows are uneven. All: the relay is too slow, or the buffers are small.',
        runbook: 'operations.md#relaykerneldrops',
        unit: unit.packets,
        width: 8,
      },
      [
        [`sum by (job, instance, shard) (${rate('relay_kernel_receive_dropped_total')})`, shard],
        [`sum by (job, instance, shard) (${rate('relay_sifted_packets_total')})`, `${shard} · shed`],
      ],
    ),
    lines(
      {
        title: 'Receive queue against its buffer',
        description: 'How full the receive buffers are. A full one drops; one that is often half full is about to.',
        runbook: 'operations.md#relayreceivequeuefull',
        unit: unit.share,
        width: 8,
      },
      [
        [
          `sum by (job, instance, shard) (relay_socket_receive_queue_bytes{${chosen}}) / sum by (job, instance, shard) (relay_socket_buffer_bytes{${chosen}, direction="receive"})`,
          shard,
        ],
      ],
    ).axisSoftMax(0.1),
    alarms(
      {
        title: 'Errors from the network',
        description:
          'ICMP errors about earlier sends (members that went away without a word; they can be forged), and receives that failed.',
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
