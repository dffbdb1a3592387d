// The shards, the ring and the processes.

import type { Row } from '../frame';
import { alarms, bars, column, lines, table, unit } from '../parts';
import { chosen, rate, total, share, ceilings, busy, shard } from './queries';

export const shards: Row = {
  title: 'Shards',
  panels: [
    lines(
      {
        title: 'Busy',
        description: 'Share of its time that each shard did not wait.',
        runbook: 'operations.md#relayshardsaturated',
        unit: unit.share,
        width: 8,
      },
      [[busy, shard]],
    ),
    lines(
      {
        title: 'Received, by shard',
        description:
          'Datagrams in a second. The kernel spreads flows (address and port), not datagrams: few clients spread unevenly.',
        runbook: 'operations.md#metrics',
        unit: unit.packets,
        width: 8,
      },
      [[`sum by (job, instance, shard) (${rate('relay_received_packets_total')})`, shard]],
    ),
    lines(
      {
        title: 'Sent, by shard',
        description: 'Datagrams in a second that each shard handed to the kernel.',
        runbook: 'operations.md#metrics',
        unit: unit.packets,
        width: 8,
      },
      [[`sum by (job, instance, shard) (${rate('relay_sent_packets_total')})`, shard]],
    ),
    lines(
      {
        title: 'Clients, by shard',
        description: 'Clients of each shard: its flows.',
        runbook: 'operations.md#metrics',
        unit: unit.count,
        width: 8,
      },
      [[`sum by (job, instance, shard) (relay_clients{${chosen}})`, shard]],
    ),
    lines(
      {
        title: 'Imbalance',
        description:
          'How busy the busiest shard of a relay is, as a multiple of the mean of its shards. 1 is even; above 1.5 it matters once that shard has little to spare.',
        runbook: 'operations.md#relayshardimbalance',
        unit: unit.count,
        width: 8,
      },
      [
        [
          share(`max by (job, instance) (${busy})`, `avg by (job, instance) (${busy})`),
          '{{instance}}',
        ],
      ],
    ),
    lines(
      {
        title: 'Copies that wait',
        description:
          'Copies of payloads that wait for a later turn, or for company. Beyond the bound the oldest are dropped as backlog.',
        runbook: 'operations.md#metrics',
        unit: unit.count,
        width: 8,
      },
      [[`sum by (job, instance, shard) (relay_waiting_copies{${chosen}})`, shard]],
    ),
    lines(
      {
        title: 'Overloaded',
        description:
          '1 while more comes than a shard can do: it drops what would wait for long, payloads before heartbeats, and whoever asks for most loses most.',
        runbook: 'operations.md#overload',
        unit: unit.count,
        width: 8,
      },
      [[`sum by (job, instance, shard) (relay_overloaded{${chosen}})`, shard]],
    ),
  ],
};

export const ring: Row = {
  title: 'Ring and system calls',
  panels: [
    lines(
      {
        title: 'System calls',
        description: 'System calls in a second that moved datagrams, on either backend.',
        runbook: 'operations.md#backends',
        unit: unit.calls,
        width: 8,
      },
      [[`sum by (job, instance) (${rate('relay_ring_enters_total')})`, '{{instance}}']],
    ),
    lines(
      {
        title: 'Receive buffers free',
        description: 'Receive buffers of the ring that are free. At 0 datagrams wait in the socket.',
        runbook: 'operations.md#backends',
        unit: unit.count,
        width: 8,
      },
      [[`sum by (job, instance) (relay_ring_buffers_free{${chosen}})`, '{{instance}}']],
    ),
    alarms(
      {
        title: 'Ring events',
        description:
          'Receives armed again, times without a free receive buffer, completions that waited in the kernel. All are survived; often means overload.',
        runbook: 'operations.md#relaynobuffers',
        unit: unit.operations,
        width: 8,
      },
      [
        [total('relay_ring_rearms_total'), 'armed again'],
        [total('relay_ring_no_buffers_total'), 'no buffers'],
        [total('relay_ring_cq_overflow_total'), 'completions waited'],
      ],
    ),
  ],
};

export const limits: Row = {
  title: 'Limits, process, versions',
  panels: [
    bars(
      {
        title: 'Limits',
        description: 'How full each ceiling of the fullest relay is. At 100 % the next one is refused.',
        runbook: 'operations.md#relaynearlimit',
        unit: unit.share,
        width: 6,
      },
      ceilings.map(([expression, name]) => [`max(${expression})`, name]),
    ).decimals(1),
    lines(
      {
        title: 'Processor',
        description: 'Processors in use by each relay: 1 is one of them, all the time.',
        runbook: 'operations.md#sizing',
        unit: unit.count,
        width: 6,
      },
      [[`sum by (job, instance) (${rate('process_cpu_seconds_total')})`, '{{instance}}']],
    ),
    lines(
      {
        title: 'Memory',
        description: 'Resident memory of each relay.',
        runbook: 'operations.md#sizing',
        unit: unit.bytes,
        width: 6,
      },
      [[`sum by (job, instance) (process_resident_memory_bytes{${chosen}})`, '{{instance}}']],
    ),
    lines(
      {
        title: 'Descriptors and threads',
        description: 'Open file descriptors and threads.',
        runbook: 'operations.md#metrics',
        unit: unit.count,
        width: 6,
      },
      [
        [`sum by (job, instance) (process_open_fds{${chosen}})`, '{{instance}} descriptors'],
        [`sum by (job, instance) (process_threads{${chosen}})`, '{{instance}} threads'],
      ],
    ),
    column(
      column(
        column(
          table(
            {
              title: 'Versions and backends',
              description:
                'Version and backend of each relay, why io_uring is not used where it was to be tried, whether it is confined, and how long it runs: a short time that stays short is a restart loop.',
              runbook: 'operations.md#relayfallbackbackend',
              unit: '',
              width: 24,
            },
            [
              `max by (job, instance, version, backend) (relay_build_info{${chosen}})`,
              `max by (job, instance) (time() - process_start_time_seconds{${chosen}} and on (job, instance) relay_build_info)`,
              `max by (job, instance, reason) (relay_backend_fallback_info{${chosen}})`,
              `max by (job, instance) (relay_ready{${chosen}})`,
              `max by (job, instance) (process_virtual_memory_bytes{${chosen}})`,
              `max by (job, instance, state) (relay_sandbox_info{${chosen}})`,
            ],
            {
              instance: 'Instance',
              job: 'Job',
              version: 'Version',
              backend: 'Backend',
              reason: 'Why not io_uring',
              state: 'Sandbox',
              'Value #D': 'Ready',
              'Value #B': 'Up for',
              'Value #E': 'Memory mapped',
            },
          ),
          'Up for',
          unit.seconds,
          ['orange', [300, 'green']],
        ),
        'Memory mapped',
        unit.bytes,
      ),
      'Ready',
      'bool_yes_no',
      ['red', [1, 'green']],
    ).overrideByName('Why not io_uring', [{ id: 'custom.width', value: 420 as unknown as object }]),
  ],
};
